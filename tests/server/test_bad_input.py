"""Bad requests fail alone, with a message; good ones beside them are served."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from tritonclient.utils import InferenceServerException

from asr_contract import RECOGNISERS
from lab.benchmark.server_statistics import memory_mb
from tests.recordings import cut
from tests.serving import request_inputs

KINDS = list(RECOGNISERS)
HOUR_SAMPLES = 3600 * 16_000


def changed(**arrays):
    """An edit of good inputs that replaces some of them; None takes one away."""

    def edit(inputs):
        merged = {**inputs, **arrays}
        return {name: array for name, array in merged.items() if array is not None}

    return edit


def with_sample(value):
    def edit(inputs):
        waveform = inputs["WAV"].copy()
        waveform[0, 100] = value
        return {**inputs, "WAV": waveform}

    return edit


INT32 = np.int32
REFUSED = {
    "nan": (with_sample(np.nan), "expected finite samples"),
    "infinity": (with_sample(np.inf), "expected finite samples"),
    "length beyond the audio": (
        changed(WAV_LENS=np.array([[10**9]], INT32)),
        "expected 0 to 32000 (the samples in WAV), got 1000000000",
    ),
    "negative length": (changed(WAV_LENS=np.array([[-1]], INT32)), "got -1"),
    "no length": (changed(WAV_LENS=None), "WAV_LENS"),
    "lengths of two rows": (
        changed(WAV_LENS=np.array([[5], [5]], INT32)),
        "batch size does not match",
    ),
    "float64 audio": (changed(WAV=np.zeros((1, 8000))), "WAV"),
    "int16 audio": (changed(WAV=np.zeros((1, 8000), np.int16)), "WAV"),
    "audio without rows": (changed(WAV=np.zeros(8000, np.float32)), "WAV"),
    "audio of three dimensions": (changed(WAV=np.zeros((1, 2, 100), np.float32)), "WAV"),
    "too many rows": (
        changed(WAV=np.zeros((40, 800), np.float32), WAV_LENS=np.full((40, 1), 800, INT32)),
        "batch",
    ),
    "ten minutes": (
        changed(
            WAV=np.zeros((1, HOUR_SAMPLES // 6), np.float32),
            WAV_LENS=np.array([[HOUR_SAMPLES // 6]], INT32),
        ),
        "at most 120 s of audio (the model's parameter max_audio_seconds), got 600.0 s",
    ),
}
REFUSED_BY_SENSEVOICE = {
    "unknown language": (
        changed(LANGUAGE=np.array([[2]], INT32)),
        "LANGUAGE: expected one of 0 (auto), 3 (zh), 4 (en), 7 (yue), 11 (ja), 12 (ko), "
        "13 (nospeech), got 2",
    ),
    "huge language": (changed(LANGUAGE=np.array([[25055]], INT32)), "got 25055"),
    "unknown text norm": (
        changed(TEXT_NORM=np.array([[0]], INT32)),
        "TEXT_NORM: expected one of 14 (withitn), 15 (woitn), got 0",
    ),
}
CASES = [(kind, name) for kind in KINDS for name in REFUSED] + [
    ("sensevoice", name) for name in REFUSED_BY_SENSEVOICE
]
ALL_REFUSED = {**REFUSED, **REFUSED_BY_SENSEVOICE}


def good_inputs(kind, samples):
    return request_inputs(kind, [samples])


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_refused_with_what_was_expected(triton_server, kind, name):
    edit, words = ALL_REFUSED[name]
    inputs = edit(good_inputs(kind, cut(2.0, 1.0)))
    with pytest.raises(InferenceServerException) as error:
        triton_server.client.infer(RECOGNISERS[kind], inputs)
    assert words in str(error.value)
    assert triton_server.client.grpc.is_server_ready()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_samples", [0, 1, 399, 400, 960])
def test_hardly_any_audio_gives_empty_text(triton_server, kind, num_samples):
    inputs = request_inputs(kind, [np.zeros(num_samples, np.float32)], width=num_samples)
    outputs = triton_server.client.infer(RECOGNISERS[kind], inputs)
    text = outputs["TEXT" if kind == "sensevoice" else "TRANSCRIPTS"]
    assert text.reshape(-1).tolist() == [b""]


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_row_beside_speech(triton_server, kind):
    speech = cut(2.5, 8.0)
    (alone,) = triton_server.client.recognise(kind, [speech])
    first, second, third = triton_server.client.recognise(
        kind, [speech, np.zeros(0, np.float32), np.zeros(1, np.float32)]
    )
    assert first == alone
    assert (second.text, third.text) == ("", "")


def test_hours_of_audio_in_one_request(triton_server):
    edit = changed(
        WAV=np.zeros((1, HOUR_SAMPLES), np.float32), WAV_LENS=np.array([[HOUR_SAMPLES]], INT32)
    )
    with pytest.raises(InferenceServerException, match=r"at most 120 s .* got 3600\.0 s"):
        triton_server.client.infer("infer_pipeline", edit({}))
    assert triton_server.client.recognise("paraformer", [cut(2.0, 1.0)])[0].text


def test_a_thousand_bad_requests_harm_no_good_one(triton_server):
    """Bad and good requests at once: good ones are answered as alone, no process dies or grows."""
    client = triton_server.client
    speech = [cut(1.0 + 0.1 * i, 3.0 * i) for i in range(8)]
    solo = {kind: [client.recognise(kind, [s])[0] for s in speech] for kind in KINDS}
    mix = [case for case in CASES if case[1] != "ten minutes"]
    processes = {p.pid for p in psutil.Process(triton_server.server.pid).children(recursive=True)}

    def send_bad(number):
        kind, name = mix[number % len(mix)]
        edit, _ = ALL_REFUSED[name]
        with pytest.raises(InferenceServerException):
            client.infer(RECOGNISERS[kind], edit(good_inputs(kind, cut(2.0, 1.0))))

    def send_good(number):
        kind, index = KINDS[number % 2], number // 2 % len(speech)
        assert client.recognise(kind, [speech[index]])[0] == solo[kind][index]

    def round_of(bad, good):
        failures = []

        def run(job):
            send, number = job
            try:
                send(number)
            except BaseException as error:
                failures.append(error)

        jobs = [(send_bad, i) for i in range(bad)] + [(send_good, i) for i in range(good)]
        order = np.random.default_rng(bad).permutation(len(jobs))
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(run, [jobs[i] for i in order]))
        assert not failures, failures[:3]

    round_of(250, 50)  # pools and arenas reach their size
    for kind in KINDS:  # for the largest batch that may form, too
        client.recognise(kind, [speech[-1]] * 12)
    settled = sum(memory_mb(triton_server.server.pid).values())
    round_of(1000, 200)
    assert sum(memory_mb(triton_server.server.pid).values()) - settled < 40
    alive = {p.pid for p in psutil.Process(triton_server.server.pid).children(recursive=True)}
    assert processes <= alive
