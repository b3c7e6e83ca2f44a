"""`align` by FunASR's `fa-zh` on real servers: alone, and for what SenseVoice hears."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

from asr_client import Client, ModelNotFound, OptionError, RequestRejected
from asr_client.alignment.phrases import cut_into_phrases
from asr_client.alignment.requests import PlacedWord
from asr_client.cli import main
from asr_client.text import text_units
from asr_contract import SAMPLE_RATE, SENSEVOICE_ALIGNMENT_MODEL
from asr_core.alignment import ALIGNER_ENCODER_OUTPUTS, CifRequest, load_cif_alignment
from asr_server.graphs import prepare
from asr_server.graphs.session import Session
from tests.recordings import heldout
from tests.serving import TINY_ALIGNER


@pytest.fixture(scope="module")
def client(aligner_server):
    with Client(aligner_server.grpc_url) as client:
        yield client


@pytest.fixture(scope="module")
def utterances() -> list[tuple[str, np.ndarray]]:
    return [(text, samples) for spoken, text, samples in heldout() if spoken == "zh"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where the aligner itself, without a server, places words in all of a recording."""
    target = tmp_path_factory.mktemp("aligner") / "model.onnx"
    prepare(TINY_ALIGNER / "model.onnx", target)
    encode = Session(target, threads=1, optimise=True).function(ALIGNER_ENCODER_OUTPUTS)
    service = load_cif_alignment(TINY_ALIGNER, max_audio_seconds=120, max_batch_size=1)

    def run(samples: np.ndarray, words: list[str]) -> list[tuple[int, int]]:
        encoded = np.array([[word.encode() for word in words]], np.object_)
        lengths = np.array([[len(samples)]], np.int32)
        (times,) = service.answer([CifRequest(samples[None], lengths, encoded)], encode)
        assert not isinstance(times, Exception)
        return [(start_ms, end_ms) for start_ms, end_ms in times[0].tolist()]

    return run


def test_alone_every_word_is_placed_as_the_model_says(client, utterances, place):
    for text, samples in utterances[:5]:
        alignment = client.align(samples, text, model="fa-zh", sample_rate=SAMPLE_RATE)
        assert alignment.model == "aligner"
        words = [unit.text for unit in text_units(text)]
        times = [(word.start_ms, word.end_ms) for word in alignment.words]
        assert [word.text for word in alignment.words] == words
        assert times == place(samples, words)
        assert all(word.confidence is None and word.heard for word in alignment.words)


def test_of_chinese_it_places_what_sensevoice_hears(client, utterances, place):
    """Confidence is SenseVoice's, times are the aligner's, phrase by phrase; pauses are kept."""
    pause = np.zeros(2 * SAMPLE_RATE, np.float32)
    (first, one), (second, two) = utterances[:2]
    text, samples = f"{first}。{second}", np.concatenate([pause, one, pause, two, pause])
    foreign = utterances[4][0]
    given = f"{first}。{foreign}。{second}"
    by_ctc = client.align(samples, given, model="sensevoice", sample_rate=SAMPLE_RATE)
    found = client.align(samples, given, sample_rate=SAMPLE_RATE)
    assert (by_ctc.model, found.model) == (SENSEVOICE_ALIGNMENT_MODEL, "aligner")
    assert [word.confidence for word in found.words] == [word.confidence for word in by_ctc.words]
    assert not found.sentences[1].heard
    heard = [word for word in found.words if word.heard]
    assert len(heard) > 0.9 * (len(found.words) - len(found.sentences[1].words))
    ends = [2 * SAMPLE_RATE, 2 * SAMPLE_RATE + len(one)]
    ends += [ends[-1] + 2 * SAMPLE_RATE, ends[-1] + 2 * SAMPLE_RATE + len(two)]
    spans = [(ends[0] / 16 - 300, ends[1] / 16 + 300), (ends[2] / 16 - 300, ends[3] / 16 + 300)]
    for word in heard:
        assert any(start <= word.start_ms and word.end_ms <= end for start, end in spans)
    about = [PlacedWord(word.start_ms, word.end_ms, word.confidence) for word in by_ctc.words]
    phrases = cut_into_phrases(about, len(samples) // 16)
    assert len(phrases) >= 2
    for phrase in phrases:
        inside = [found.words[index] for index in phrase.words]
        audio = samples[phrase.start_ms * 16 : phrase.end_ms * 16]
        assert [
            (word.start_ms - phrase.start_ms, word.end_ms - phrase.start_ms) for word in inside
        ] == place(audio, [word.text for word in inside])
    order = [time for word in found.words for time in (word.start_ms, word.end_ms)]
    assert order == sorted(order)
    assert client.align(samples, text, sample_rate=SAMPLE_RATE, language="zh").model == "aligner"


def test_what_is_not_chinese_is_sensevoices(client):
    text, samples = next((text, samples) for lang, text, samples in heldout() if lang == "en")
    for language in ("en", "auto"):
        alignment = client.align(samples, text, language=language, sample_rate=SAMPLE_RATE)
        assert alignment.model == SENSEVOICE_ALIGNMENT_MODEL


def test_command_line(client, utterances, tmp_path):
    text, samples = utterances[0]
    soundfile.write(tmp_path / "a.wav", samples, SAMPLE_RATE, subtype="FLOAT")
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    command = ["align", str(tmp_path / "a.wav"), str(tmp_path / "a.txt"), "--url", client.url]
    assert main([*command, "--model", "fa-zh", "--output", str(tmp_path / "a.json")]) == 0
    expected = client.align(samples, text, model="fa-zh", sample_rate=SAMPLE_RATE).to_dict()
    written = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert {name: written[name] for name in expected} == expected


def test_refusals(client, triton_server, utterances):
    text, samples = utterances[0]
    with pytest.raises(OptionError, match="expected one of auto, sensevoice, fa-zh; got 'mfa'"):
        client.align(samples, text, model="mfa", sample_rate=SAMPLE_RATE)
    long = np.zeros(121 * SAMPLE_RATE, np.float32)
    with pytest.raises(RequestRejected, match=r"at most 120 s.*model 'auto'"):
        client.align(long, text, model="fa-zh", sample_rate=SAMPLE_RATE)
    with Client(triton_server.grpc_url) as other:
        with pytest.raises(ModelNotFound, match="install aligner --from fa-zh"):
            other.align(samples, text, model="fa-zh", sample_rate=SAMPLE_RATE)
        alignment = other.align(samples, text, language="zh", sample_rate=SAMPLE_RATE)
        assert alignment.model == SENSEVOICE_ALIGNMENT_MODEL
