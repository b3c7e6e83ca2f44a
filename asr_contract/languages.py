"""SenseVoice's languages and text normalisation: the words for them, and the ids that are sent.

The ids are rows of an embedding table that is put in front of the features; they are part of the
trained model.
"""

from __future__ import annotations

LANGUAGE_IDS = {
    "auto": 0,
    "zh": 3,
    "en": 4,
    "yue": 7,
    "ja": 11,
    "ko": 12,
    "nospeech": 13,
}
TEXT_NORM_IDS = {"withitn": 14, "woitn": 15}


def read_language(word: object) -> str:
    """Return a language word as `LANGUAGE_IDS` has it; case does not matter.

    Raises:
        ValueError: it is none of them.
    """
    language = word.lower() if isinstance(word, str) else None
    if language not in LANGUAGE_IDS:
        raise ValueError(f"language: expected one of {', '.join(LANGUAGE_IDS)}; got {word!r}")
    return language


def language_id(word: object) -> int:
    """Return the id of a language word such as "zh".

    Raises:
        ValueError: it is none of `LANGUAGE_IDS`.
    """
    return LANGUAGE_IDS[read_language(word)]


def text_norm_id(itn: bool) -> int:
    """Return the id for text with (True) or without (False) inverse text normalisation.

    SenseVoice's "with ITN" also means with punctuation.
    """
    return TEXT_NORM_IDS["withitn" if itn else "woitn"]
