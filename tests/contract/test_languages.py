"""The words for SenseVoice's languages."""

from __future__ import annotations

import pytest

from asr_contract import LANGUAGE_IDS, TEXT_NORM_IDS, language_id, read_language, text_norm_id


@pytest.mark.parametrize("word", LANGUAGE_IDS)
def test_case_does_not_matter(word: str) -> None:
    assert read_language(word.upper()) == word
    assert language_id(word.title()) == LANGUAGE_IDS[word]


@pytest.mark.parametrize("word", ["", "zh-CN", "tlh", 3, None, ["zh"]])
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
