"""Texts that are too uncertain to rely on say so, wherever sentences are given."""

from __future__ import annotations

import pytest

from asr_client.files.sentences import recognised_segment, timed_sentences
from asr_client.results import Sentence, Transcript
from asr_contract import PARAFORMER_MODEL, SENSEVOICE_MODEL, STREAMING_MODEL
from asr_gateway.funasr.protocol import UtteranceOptions
from asr_gateway.funasr.replies import recording_reply, sentence_reply

SURE = Sentence("你好。", 0, 900, confidence=0.9)
UNSURE = Sentence("喂。", 900, 1500, confidence=0.3, doubtful=True)


@pytest.mark.parametrize(
    ("confidence", "doubtful"),
    [(None, False), ([], False), ([0.9, 0.9], False), ([0.9, 0.2], True), ([0.0, 0.9], True)],
)
def test_a_transcript_is_doubtful_by_the_geometric_mean_of_its_words(confidence, doubtful):
    transcript = Transcript("", "m", 1.0, [], confidence=confidence)
    assert transcript.doubtful is transcript.to_dict()["doubtful"] is doubtful


@pytest.mark.parametrize(
    ("model", "confidence", "doubtful"),
    [
        (PARAFORMER_MODEL, 0.51, False),
        (PARAFORMER_MODEL, 0.49, True),
        (SENSEVOICE_MODEL, 0.76, False),
        (SENSEVOICE_MODEL, 0.74, True),
        (STREAMING_MODEL, 0.66, False),
        (STREAMING_MODEL, 0.64, True),
        ("a model of one's own", 0.49, True),
    ],
)
def test_a_sentence_is_doubtful_below_its_model_s_threshold(model, confidence, doubtful):
    transcript = Transcript("你好", model, 1.0, ["你", "好"], confidence=[confidence] * 2)
    (sentence,) = timed_sentences(recognised_segment(transcript, 0, 900), ["你好。"])
    assert sentence.to_dict()["doubtful"] is sentence.doubtful is doubtful
    assert transcript.doubtful is doubtful


def test_websocket_replies_say_it_where_it_is_so():
    options = UtteranceOptions()
    assert "doubtful" not in sentence_reply(options, SURE, 0, tags=False)
    assert sentence_reply(options, UNSURE, 0, tags=False)["doubtful"] is True
    assert recording_reply(options, "", [SURE, UNSURE])["doubtful"] is True
