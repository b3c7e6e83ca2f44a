"""CT-Transformer on a real server: parity, context that the client keeps, batches, bad input."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from asr_server.install.funasr_punctuation_reference import (
    PunctuationOnlineReference,
    PunctuationReference,
)
from lab.benchmark.server_statistics import read_statistics
from tests.punctuation_reference import (
    PUNCTUATION_MODELS,
    PUNCTUATION_ONLINE_MODELS,
    full_width,
    make_text,
)
from tests.server_counters import wait_for_inferences
from tests.serving import RawClient, serve_models

SEEDS = ("tiny-seed0", "small-seed1")


@pytest.fixture(scope="module", params=SEEDS)
def served(request, tmp_path_factory):
    """(server, client, offline model, streaming model)."""
    sources = {
        "punctuation": PUNCTUATION_MODELS[f"ct_transformer-{request.param}"],
        "punctuation-online": PUNCTUATION_ONLINE_MODELS[
            f"ct_transformer_streaming-{request.param}"
        ],
    }
    with serve_models(tmp_path_factory.mktemp("punctuation"), sources) as server:
        yield server, RawClient(server), *sources.values()


def strings(rows) -> np.ndarray:
    width = max(map(len, rows), default=0)
    array = np.full((len(rows), width), b"", object)
    for target, row in zip(array, rows, strict=True):
        target[: len(row)] = [word.encode() for word in row]
    return array


def words_of(row) -> list[str]:
    return [word.decode() for word in row if word]


def test_offline_parity(served):
    _, client, model, _ = served
    reference = PunctuationReference(model)
    for seed, words in enumerate((1, 20, 33, 120)):
        for english in (0.0, 0.5):
            text = make_text(model, words, seed, english)
            expected, mark_ids = reference.punctuate(text)
            outputs = client.infer("punctuation", {"TEXT": strings([[text]])})
            assert outputs["PUNCTUATIONS"][0].tolist() == mark_ids
            got = outputs["TEXT"][0, 0].decode()
            assert full_width(got) == full_width(expected)
            assert english or got == expected
            assert len(words_of(outputs["WORDS"][0])) == len(outputs["MARKS"][0]) == len(mark_ids)


def test_streams_carry_their_own_context(served):
    _, client, _, model = served
    reference = PunctuationOnlineReference(model)
    cache = None
    for piece in range(5):
        text = make_text(model, 7 + 9 * piece, piece)
        expected, marks, words = reference.punctuate(text)
        inputs = {"TEXT": strings([[text]])}
        if cache is not None:
            inputs["CACHE"] = cache
        outputs = client.infer("punctuation_online", inputs)
        assert outputs["TEXT"][0, 0].decode() == expected
        assert [mark.decode() or "_" for mark in outputs["MARKS"][0]] == marks
        assert words_of(outputs["CACHE"][0]) == words
        cache = outputs["CACHE"]


def test_every_answer_equals_its_solo_answer(served):
    """Requests of one to four rows, with and without context, from 16 clients."""
    server, client, _, model = served
    rng = np.random.default_rng(2)
    texts = [make_text(model, int(rng.integers(1, 70)), seed, 0.3) for seed in range(48)]
    contexts = [list(make_text(model, int(rng.integers(0, 9)), seed)) for seed in range(48)]

    def infer(indices):
        inputs = {
            "TEXT": strings([[texts[index]] for index in indices]),
            "CACHE": strings([contexts[index] for index in indices]),
        }
        outputs = client.infer("punctuation_online", inputs)
        return [
            (text[0], words_of(words), words_of(cache))
            for text, words, cache in zip(
                outputs["TEXT"], outputs["WORDS"], outputs["CACHE"], strict=True
            )
        ]

    solo = [infer([index])[0] for index in range(48)]
    before = read_statistics(server.http_url)
    requests, rest = [], list(rng.permutation(48))
    while rest:
        size = int(rng.integers(1, 5))
        requests.append([int(index) for index in rest[:size]])
        rest = rest[size:]
    with ThreadPoolExecutor(16) as pool:
        together = {}
        for indices, rows in zip(requests, pool.map(infer, requests), strict=True):
            together.update(zip(indices, rows, strict=True))
    assert [together[index] for index in range(48)] == solo
    encoder = wait_for_inferences(server, before, "punctuation_online_encoder", 48)
    assert encoder.mean_batch > 1.5


def test_empty_text_and_rows(served):
    _, client, *_ = served
    outputs = client.infer("punctuation", {"TEXT": strings([[""], ["  "], ["好"]])})
    assert [row[0].decode() for row in outputs["TEXT"]][:2] == ["", ""]
    assert outputs["TEXT"][2, 0].decode()[0] == "好"
    assert outputs["PUNCTUATIONS"][:2].tolist() == [[-1], [-1]]
    outputs = client.infer(
        "punctuation_online", {"TEXT": strings([[""]]), "CACHE": strings([["你", "new"]])}
    )
    assert outputs["TEXT"][0, 0] == b"" and words_of(outputs["CACHE"][0]) == ["你", "new"]


@pytest.mark.parametrize(
    ("model", "inputs", "message"),
    [
        ("punctuation", {"TEXT": np.array([[b"\xff\xfe"]], object)}, "utf-8"),
        ("punctuation", {"TEXT": strings([["你" * 10_001]])}, "at most 10000 words"),
        (
            "punctuation_online",
            {"TEXT": strings([["好"]]), "CACHE": strings([["你好"]])},
            "which is 2 words",
        ),
    ],
)
def test_bad_input_fails_alone(served, model, inputs, message):
    _, client, offline, _ = served
    text = make_text(offline, 30, 1)
    wanted = client.infer(model, {"TEXT": strings([[text]])})["TEXT"]

    def send(index: int):
        if index % 2:
            return client.infer(model, {"TEXT": strings([[text]])})["TEXT"]
        with pytest.raises(InferenceServerException, match=message):
            client.infer(model, inputs)
        return wanted

    with ThreadPoolExecutor(8) as pool:
        assert all(np.array_equal(got, wanted) for got in pool.map(send, range(16)))
