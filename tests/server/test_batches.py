"""A request's answer never depends on who it is batched with; and batches do form."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from asr_contract import RECOGNISERS
from lab.benchmark.server_statistics import read_statistics
from tests.recordings import cut, mixed_lengths
from tests.server_counters import wait_for_inferences
from tests.serving import EMBEDDED, RawClient, serve_models

KINDS = list(RECOGNISERS)


@pytest.fixture(scope="module")
def padding_server(tmp_path_factory):
    """As on a GPU: rows of any lengths share a run, and one batch runs at a time.

    Requests wait a second for each other instead of 5 ms, lest the speed of clients and machine
    decides which of them meet.
    """
    work = tmp_path_factory.mktemp("padding")
    parameters = {
        "join_lengths": "1",
        "concurrent_runs": "1",
        "max_queue_delay_microseconds": "1000000",
    }
    models = {kind: EMBEDDED[kind] for kind in RECOGNISERS}
    with serve_models(work, models, parameters) as server:
        yield server, RawClient(server)


def random_requests(count: int, seed: int) -> list[tuple[list[int], bool]]:
    """Indices of all recordings, shuffled, in requests of 1 to 8 rows, padded or not."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(count).tolist()
    requests = []
    while order:
        rows = int(rng.integers(1, 9))
        requests.append((order[:rows], bool(rng.integers(2))))
        order = order[rows:]
    return requests


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("server_name", ["default", "padding"])
def test_every_answer_equals_its_solo_answer(request, triton_server, kind, server_name):
    client = triton_server.client
    recordings = mixed_lengths(64, 0.2, 9.0, seed=3)
    solo = [client.recognise(kind, [samples])[0] for samples in recordings]
    if server_name == "padding":
        _, client = request.getfixturevalue("padding_server")

    def send(indices_and_padded):
        indices, padded = indices_and_padded
        rows = [recordings[index] for index in indices]
        width = max(map(len, rows)) + 30_000 if padded else None
        return dict(zip(indices, client.recognise(kind, rows, width=width), strict=True))

    with ThreadPoolExecutor(16) as pool:
        together = {}
        for answers in pool.map(send, random_requests(len(recordings), seed=4)):
            together.update(answers)
    assert [together[index] for index in range(len(recordings))] == solo
    assert sum(bool(answer.text) for answer in solo) > 48


@pytest.mark.parametrize("kind", KINDS)
def test_garbage_beyond_the_true_length_is_not_heard(triton_server, kind):
    from tests.serving import request_inputs

    speech, other = cut(2.0, 5.0), cut(2.0, 30.0)
    (alone,) = triton_server.client.recognise(kind, [speech])
    inputs = request_inputs(kind, [speech], width=len(speech) + len(other))
    inputs["WAV"][0, len(speech) :] = other
    outputs = triton_server.client.infer(RECOGNISERS[kind], inputs)
    assert outputs["TRANSCRIPTS"][0].decode() == alone.transcript


@pytest.mark.parametrize("kind", KINDS)
def test_mixed_lengths_form_batches_where_padding_is_allowed(padding_server, kind):
    """16 requests at once of many lengths, four times: the encoder's mean batch is at least 4."""
    server, client = padding_server
    recordings = mixed_lengths(64, 1.0, 12.0, seed=8)
    before = read_statistics(server.http_url)
    with ThreadPoolExecutor(16) as pool:
        for start in range(0, len(recordings), 16):
            together = recordings[start : start + 16]
            list(pool.map(lambda samples: client.recognise(kind, [samples]), together))
    encoder = wait_for_inferences(server, before, f"{kind}_encoder", len(recordings))
    assert encoder.inferences == len(recordings)
    assert encoder.mean_batch >= 4
