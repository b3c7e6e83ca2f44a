"""Texts that are too uncertain to rely on say so, wherever sentences are given."""

from __future__ import annotations

import pytest

from asr_client.results import Sentence, Transcript
from asr_contract import DOUBTFUL_CONFIDENCE
from asr_gateway.funasr.protocol import UtteranceOptions
from asr_gateway.funasr.replies import recording_reply, sentence_reply

SURE = Sentence("你好。", 0, 900, confidence=DOUBTFUL_CONFIDENCE)
UNSURE = Sentence("喂。", 900, 1500, confidence=DOUBTFUL_CONFIDENCE - 0.01)


@pytest.mark.parametrize(
    ("confidence", "doubtful"),
    [(None, False), ([], False), ([0.9, 0.9], False), ([0.9, 0.2], True), ([0.0, 0.9], True)],
)
def test_a_transcript_is_doubtful_by_the_geometric_mean_of_its_words(confidence, doubtful):
    transcript = Transcript("", "m", 1.0, [], confidence=confidence)
    assert transcript.doubtful is transcript.to_dict()["doubtful"] is doubtful


def test_a_sentence_is_doubtful_below_the_threshold_and_not_without_a_confidence():
    assert [one.to_dict()["doubtful"] for one in (SURE, UNSURE, Sentence("", 0, 1))] == [
        False,
        True,
        False,
    ]


def test_websocket_replies_say_it_where_it_is_so():
    options = UtteranceOptions()
    assert "doubtful" not in sentence_reply(options, SURE, 0)
    assert sentence_reply(options, UNSURE, 0)["doubtful"] is True
    assert recording_reply(options, "", [SURE, UNSURE])["doubtful"] is True
