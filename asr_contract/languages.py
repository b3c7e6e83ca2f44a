"""The words for SenseVoice's languages and text normalisation, and the ids the server wants."""

from __future__ import annotations


class OptionError(ValueError):
    """An option has a value that is not known."""


# Rows of SenseVoice's query-embedding table; the numbers are part of the trained model.
LANGUAGE_IDS = {
    "auto": 0,
    "zh": 3,
    "en": 4,
    "yue": 7,
    "ja": 11,
    "ko": 12,
    "nospeech": 13,
}
WITH_ITN_ID = 14
WITHOUT_ITN_ID = 15


def language_id(language: str) -> int:
    """Return the id of a language word such as "zh" (case does not matter).

    Raises:
        OptionError: the word is not one of `LANGUAGE_IDS`.
    """
    number = LANGUAGE_IDS.get(language.lower()) if isinstance(language, str) else None
    if number is None:
        words = ", ".join(LANGUAGE_IDS)
        raise OptionError(f"language: expected one of {words}; got {language!r}")
    return number


def text_norm_id(itn: bool) -> int:
    """Return the id for text with (True) or without (False) inverse text normalisation.

    SenseVoice's "with ITN" also means with punctuation.
    """
    return WITH_ITN_ID if itn else WITHOUT_ITN_ID
