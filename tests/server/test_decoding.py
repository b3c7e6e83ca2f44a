"""Hotwords in the search of each recogniser, on a real server with the embedded models."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from asr_client import Client, RequestRejected
from asr_core.paraformer import load_pieces
from asr_core.text import join_words
from asr_server.places import EMBEDDED_MODELS
from lab.training.recognisers import load_paraformer, load_sensevoice, load_streaming
from tests.recordings import cut

SAMPLE_RATE = 16_000
RECORDINGS = [cut(seconds, 3 * seconds) for seconds in (1.7, 4.0, 9.0)]


def word_lists() -> list[str]:
    """Lists of words so heavy that they are heard where a candidate allows it."""
    pieces = load_pieces(EMBEDDED_MODELS / "paraformer")
    characters = [piece for piece in pieces if "一" <= piece <= "龥"]
    rng = np.random.default_rng(0)
    lists = [
        "\n".join("".join(rng.choice(characters, 1 + size % 2)) + " 60" for size in range(80))
        for _ in range(2)
    ]
    return ["", "王芳", *lists]


@cache
def library(kind: str):
    """The recogniser as a function of samples and hotwords, without a server."""
    if kind == "paraformer":
        paraformer = load_paraformer(EMBEDDED_MODELS / "paraformer")
        return lambda samples, hotwords: join_words(paraformer([samples], hotwords)[0])
    if kind == "sensevoice":
        sensevoice = load_sensevoice(EMBEDDED_MODELS / "sensevoice")
        return lambda samples, hotwords: sensevoice([samples], hotwords=hotwords)[0].transcript
    streaming = load_streaming(EMBEDDED_MODELS / "paraformer_online")
    return lambda samples, hotwords: join_words(streaming(samples, hotwords))


def stream(client: Client, samples: np.ndarray, hotwords: str, piece: int = 9600) -> str:
    with client.stream(hotwords=hotwords) as session:
        for start in range(0, len(samples), piece):
            session.send(samples[start : start + piece], sample_rate=SAMPLE_RATE)
        return session.finish().text


@pytest.mark.parametrize("kind", ["paraformer", "sensevoice", "streaming"])
def test_the_search_finds_what_the_library_finds_whatever_the_neighbours(triton_server, kind):
    asked = [(samples, words) for words in word_lists() for samples in RECORDINGS]
    expected = [library(kind)(samples, words) for samples, words in asked]
    assert expected[: len(RECORDINGS)] != expected[-len(RECORDINGS) :], "no word was heard"

    with Client(triton_server.grpc_url) as client:

        def served(index: int) -> str:
            samples, words = asked[index]
            if kind == "streaming":
                return stream(client, samples, words, piece=[9600, 3333, 40_000][index % 3])
            (answer,) = triton_server.client.recognise(
                kind, [samples], parameters={"hotwords": words} if words else None
            )
            return answer.transcript

        order = np.random.default_rng(1).permutation(len(asked)).tolist()
        with ThreadPoolExecutor(6) as pool:
            together = dict(zip(order, pool.map(served, order), strict=True))
    assert [together[index] for index in range(len(asked))] == expected


def test_rows_and_times_of_a_batch(triton_server):
    words = word_lists()[-1]
    for kind in ("paraformer", "sensevoice"):
        parameters = {"hotwords": words}
        rows = triton_server.client.recognise(kind, RECORDINGS, parameters=parameters)
        for samples, row in zip(RECORDINGS, rows, strict=True):
            (alone,) = triton_server.client.recognise(kind, [samples], parameters=parameters)
            assert row == alone
            starts = [start for start, _ in row.timestamps]
            assert starts == sorted(starts) and len(starts) == len(row.tokens)
            assert all(0 < confidence <= 1 for confidence in row.confidence)


@pytest.mark.parametrize("model", ["paraformer", "sensevoice", "stream"])
def test_words_that_cannot_be_spelt_are_named(triton_server, model):
    asked = ["王芳", "C++", "龘龘"]
    with Client(triton_server.http_url if model != "stream" else triton_server.grpc_url) as client:
        if model == "stream":
            with client.stream(hotwords=asked) as session:
                session.send(RECORDINGS[0], sample_rate=SAMPLE_RATE)
                transcript = session.finish()
        else:
            transcript = client.transcribe(
                RECORDINGS[0], model=model, sample_rate=SAMPLE_RATE, hotwords=asked
            )
    assert [warning.split(":")[1] for warning in transcript.warnings] == [
        " hotword 'C++'",
        " hotword '龘龘'",
    ]


def test_what_is_no_list_fails_alone(triton_server):
    message = "got broken JSON"
    for kind in ("paraformer", "sensevoice"):
        with pytest.raises(InferenceServerException, match=message):
            triton_server.client.recognise(kind, [RECORDINGS[0]], parameters={"hotwords": '["的"'})
    with Client(triton_server.grpc_url) as client:
        with (
            pytest.raises(RequestRejected, match=message),
            client.stream(hotwords='["的"') as session,
        ):
            session.finish()
        assert stream(client, RECORDINGS[0], "的")
