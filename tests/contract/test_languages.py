"""The words for SenseVoice's languages."""

from __future__ import annotations

import pytest

from asr_contract import (
    LANGUAGE_IDS,
    LANGUAGE_NAMES,
    TEXT_NORM_IDS,
    language_id,
    language_name,
    read_language,
    text_norm_id,
)


@pytest.mark.parametrize("word", LANGUAGE_IDS)
def test_case_does_not_matter(word: str) -> None:
    assert read_language(word.upper()) == word
    assert language_id(word.title()) == LANGUAGE_IDS[word]


@pytest.mark.parametrize(
    ("words", "language"),
    [
        ("zh-CN zh_CN zh-Hans zh-Hans-CN ZH-TW zho cmn cmn-Hans-CN Chinese chinese 中文", "zh"),
        ("yue Cantonese zh-HK zh-yue yue-Hant-HK 粤语", "yue"),
        ("en-US eng English", "en"),
        ("ja-JP jpn Japanese 日本語", "ja"),
        ("ko-KR kor Korean 한국어", "ko"),
        (" auto AUTO", "auto"),
    ],
)
def test_tags_and_names_are_understood(words: str, language: str) -> None:
    for word in words.split():
        assert read_language(word) == language, word
        assert read_language(f" {word} ") == language


def test_names_are_those_of_openai() -> None:
    for language, name in LANGUAGE_NAMES.items():
        assert (language_name(language), read_language(name)) == (name, language)
    assert (language_name("nospeech"), language_name(None)) == ("nospeech", None)


@pytest.mark.parametrize(
    "word", ["", "-", "tlh", "chinois", "z", "zhCN", 3, None, ["zh"], "x" * 999]
)
def test_other_words_are_refused(word: object) -> None:
    with pytest.raises(ValueError, match=r"language: expected one of auto, zh, .*got"):
        read_language(word)


def test_ids_are_those_of_the_trained_model() -> None:
    assert LANGUAGE_IDS == {
        "auto": 0,
        "zh": 3,
        "en": 4,
        "yue": 7,
        "ja": 11,
        "ko": 12,
        "nospeech": 13,
    }
    assert (text_norm_id(True), text_norm_id(False)) == (14, 15)
    assert set(TEXT_NORM_IDS.values()) == {14, 15}
