"""SenseVoice's languages and text normalisation: the words for them, and the ids that are sent.

A language is told by its word here ("zh"), by a tag of BCP 47 (zh-CN, zh_Hans), by a code of three
letters (zho, cmn, eng), by its English name (Chinese) or its own (中文); `read_language` is the one
reader, for the SDK, the command line and every door of the gateway.

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


# As OpenAI's API and Whisper write them
LANGUAGE_NAMES = {
    "zh": "chinese",
    "en": "english",
    "yue": "cantonese",
    "ja": "japanese",
    "ko": "korean",
}

# What else people write
_OTHER_WORDS = {
    "zh": (
        "cn",
        "zho",
        "chi",
        "cmn",
        "mandarin",
        "中文",
        "汉语",
        "漢語",
        "普通话",
        "普通話",
        "国语",
        "國語",
    ),
    "en": ("eng", "英语", "英語", "英文"),
    "yue": (
        "zh-yue",
        "zh-hk",
        "zh-mo",
        "zh-hant-hk",
        "zh-hant-mo",
        "粤语",
        "粵語",
        "广东话",
        "廣東話",
    ),
    "ja": ("jp", "jpn", "日语", "日語", "日文", "日本語"),
    "ko": ("kr", "kor", "韩语", "韓語", "韩文", "韓文", "한국어"),
}
_LANGUAGES = {
    **{word: word for word in LANGUAGE_IDS},
    **{name: language for language, name in LANGUAGE_NAMES.items()},
    **{word: language for language, words in _OTHER_WORDS.items() for word in words},
}
_MAX_SHOWN = 80


def read_language(word: object) -> str:
    """Return a language as `LANGUAGE_IDS` has it, from any of the ways in which it is written.

    Case does not matter, nor whether a tag has `-` or `_`; a script or country in a tag is not
    needed. Chinese of Hong Kong and Macau is Cantonese: that is spoken there.

    Raises:
        ValueError: it is none of them.
    """
    tag = word.strip().lower().replace("_", "-") if isinstance(word, str) else ""
    language = _LANGUAGES.get(tag) or _LANGUAGES.get(tag.partition("-")[0])
    if language is None:
        shown = repr(word)
        shown = shown if len(shown) <= _MAX_SHOWN else shown[:_MAX_SHOWN] + "…"
        raise ValueError(
            f"language: expected one of {', '.join(LANGUAGE_IDS)}, or a tag or name such as zh-CN "
            f"or Chinese; got {shown}"
        )
    return language


def language_name(language: str | None) -> str | None:
    """Return the English name of a language, small letters; itself where it has none."""
    return None if language is None else LANGUAGE_NAMES.get(language, language)


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
