"""The language of a result: the model's tag, and the script of the text where that tells more."""

import math

import numpy as np
import pytest

from asr_contract import LANGUAGE_IDS
from asr_core.sensevoice import TOKENIZER_NAME, SenseVoiceOutputs, SenseVoiceScoring
from asr_core.sensevoice.language import heard_language
from asr_server.places import ROOT

LANGUAGES = sorted(LANGUAGE_IDS.keys() - {"auto", "nospeech"})
TEXTS = {
    "zh": "今天天气怎么样",
    "yue": "今日天氣點樣",
    "ja": "今日の天気はどうですか",
    "ko": "오늘 날씨 어때요",
    "en": "how is the weather today",
}


def tags(best, **others):
    return {best: math.log(0.6)} | {tag: math.log(prob) for tag, prob in others.items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sure_tag_stays_whatever_is_written(language):
    others = dict.fromkeys(set(LANGUAGES) - {language}, -40.0)
    for text in TEXTS.values():
        assert heard_language({language: -1e-6} | others, text) == language


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("tag", LANGUAGES)
def test_an_unsure_tag_gives_way_to_the_script_of_the_text(tag, language):
    others = {language: 0.3} if language != tag else {}
    shared = {tag, language} <= {"zh", "yue", "ja"} and language != "ja"  # Chinese characters
    assert heard_language(tags(tag, **others), TEXTS[language]) == (tag if shared else language)


def test_words_of_another_language_inside_do_not_decide():
    assert heard_language(tags("zh", en=0.35), "我 用 iPhone 看 YouTube") == "zh"


@pytest.mark.parametrize("text", ["", "123 456", "…"])
def test_a_text_in_no_script_leaves_the_tag(text):
    assert heard_language(tags("ko", zh=0.39), text) == "ko"


@pytest.mark.parametrize("best", ["nospeech", ""])
def test_what_is_no_language_stays(best):
    assert heard_language(tags(best, zh=0.39), "今天") == best
    assert heard_language({}, "今天") == ""


def test_each_row_has_its_own_language_and_the_transcript_keeps_the_tag():
    scoring = SenseVoiceScoring(ROOT / "embedded_models/sensevoice" / TOKENIZER_NAME)
    ids = {piece.removeprefix("\u2581"): number for number, piece in enumerate(scoring.pieces)}
    rows = []
    for best, other in (("ko", "zh"), ("zh", "ko")):
        frames = [
            [ids[f"<|{best}|>"], ids[f"<|{other}|>"]],
            *[[ids[f"<|{name}|>"], 0] for name in ("NEUTRAL", "Speech", "woitn")],
            *[[ids[character], 0] for character in "今天"],
        ]
        rows.append(frames)
    candidates = np.array(rows, np.int32)
    scores = np.log(np.broadcast_to(np.float32([0.5, 0.4]), candidates.shape))
    outputs = SenseVoiceOutputs(
        candidates[..., 0], scores[..., 0], np.full(2, 6, np.int32), candidates, scores
    )
    heard = scoring.score_rows(outputs)
    assert [result.language for result in heard] == ["zh", "zh"]
    assert [result.text for result in heard] == ["今天", "今天"]
    assert heard[0].transcript.startswith("<|ko|><|NEUTRAL|>")
