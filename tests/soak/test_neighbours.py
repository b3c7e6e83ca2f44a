"""Of 500 recordings none says something else because of those beside it, in fp32.

The short form, 64 recordings in requests of all these sorts mixed, is in the suite:
`tests/server/test_batches.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import numpy as np
import pytest

from asr_contract import RECOGNISERS
from asr_server.models import Device
from asr_server.run import TritonServer
from lab.benchmark.server_statistics import read_statistics
from tests.recordings import mixed_lengths
from tests.server_counters import wait_for_inferences
from tests.serving import EMBEDDED, RawClient, serve_models

pytestmark = pytest.mark.soak

COUNT = 500
CLIENTS = 32
AT_ONCE = {"join_lengths": "1", "concurrent_runs": "1"}  # as on a GPU


@pytest.fixture(scope="module", params=get_args(Device))
def joining(request, tmp_path_factory) -> Iterator[TritonServer]:
    """A server that runs together what waits; with the graph for this device."""
    work = tmp_path_factory.mktemp(f"joining-{request.param}")
    models = {kind: EMBEDDED[kind] for kind in RECOGNISERS}
    with serve_models(work, models, AT_ONCE, device=request.param) as server:
        yield server


def requests_of(way: str, count: int) -> list[list[int]]:
    """Indices of the recordings in each request."""
    order = np.random.default_rng(11).permutation(count).tolist()
    if way != "rows":
        return [[index] for index in order]
    sizes = np.random.default_rng(12).integers(2, 9, count)
    ends = np.minimum(np.cumsum(sizes), count)
    bounds = zip([0, *ends], ends, strict=False)
    return [order[start:end] for start, end in bounds if start < end]


@pytest.mark.parametrize("kind", RECOGNISERS)
def test_none_of_500_texts_changes_with_the_neighbours(triton_server, joining, kind):
    client = RawClient(joining)
    recordings = mixed_lengths(COUNT, 0.3, 8.0, seed=13)
    solo = [triton_server.client.recognise(kind, [samples])[0] for samples in recordings]
    assert sum(bool(answer.text) for answer in solo) > 0.9 * COUNT
    for way in ("ragged", "padded", "rows"):

        def send(indices: list[int], way: str = way) -> dict[int, object]:
            rows = [recordings[index] for index in indices]
            width = max(map(len, rows)) + (30_000 if way == "padded" else 0)
            return dict(zip(indices, client.recognise(kind, rows, width=width), strict=True))

        before = read_statistics(joining.http_url)
        together: dict[int, object] = {}
        with ThreadPoolExecutor(CLIENTS) as pool:
            for answers in pool.map(send, requests_of(way, COUNT)):
                together |= answers
        changed = [index for index in range(COUNT) if together[index] != solo[index]]
        work = wait_for_inferences(joining, before, f"{kind}_encoder", COUNT)
        print(f"{kind}, {way}: {len(changed)} of {COUNT} texts changed, mean batch "
              f"{work.mean_batch:.1f}")  # fmt: skip
        assert not changed
        assert work.mean_batch > 2  # they had neighbours
