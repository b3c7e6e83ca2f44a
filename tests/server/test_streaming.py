"""Streaming Paraformer on a real server: parity, any arrival, complete ends, states that end."""

from __future__ import annotations

import gc
import random
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from tritonclient.utils import InferenceServerException

from asr_client import Client, SessionLimitReached, StreamSession
from asr_server.install.installed import SHORTEST_LAST_PIECE
from lab.benchmark.server_statistics import read_statistics
from tests.funasr_reference import StreamingReference
from tests.recordings import cut
from tests.server_counters import wait_for_inferences
from tests.serving import RANDOM_MODELS, serve_models
from tests.streaming_alone import ENDED, TINY, alone
from tests.streams import Stream, wait_for_open_sessions

MODELS = {path.name: path for path in sorted(RANDOM_MODELS.glob("paraformer_online-*"))}
PIECE = 9600


@pytest.fixture(scope="module", params=MODELS)
def model(request, tmp_path_factory):
    """(server, exported model) of each random-weight export."""
    work = tmp_path_factory.mktemp(request.param)
    with serve_models(work, {"paraformer-online": MODELS[request.param]}) as server:
        yield server, MODELS[request.param]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The tiny model with room for 250 sessions."""
    work = tmp_path_factory.mktemp("streaming")
    sources = {"paraformer-online": TINY}
    with serve_models(work, sources, {"max_sessions": "250"}) as server:
        yield server


@pytest.fixture(scope="module")
def small_server(tmp_path_factory):
    """Room for three sessions, in three processes of the search and three of the front end.

    The search does one batch at a time, as on a GPU.
    """
    work = tmp_path_factory.mktemp("few_sessions")
    sources = {"paraformer-online": TINY}
    limit = {"max_sessions": "3", "parallel_batches": "1"}
    instances = {"streaming_cif_search": 3, "streaming_feature_extractor": 3}
    with serve_models(work, sources, limit, instances=instances) as server:
        yield server


@pytest.fixture
def fresh_server(tmp_path):
    """No session of another test is open."""
    with serve_models(tmp_path, {"paraformer-online": TINY}) as server:
        yield server


def test_parity_with_funasr(model):
    server, source = model
    reference = StreamingReference(source)
    texts = []
    for index in range(20):
        samples = cut(0.7 + 0.237 * index, start=1.9 * index, gain=0.3 + 0.1 * index)
        if len(samples) % PIECE < SHORTEST_LAST_PIECE:
            samples = samples[: len(samples) // PIECE * PIECE]
        texts.append(reference.text(samples))
        assert Stream(server).run(samples) == texts[-1], index
    assert sum(map(bool, texts)) > 15


@pytest.mark.parametrize("chunk_size", ["5,10,5", "0,10,5", "[0, 8, 4]"])
def test_chunk_size_is_the_streams_own(server, chunk_size):
    samples = cut(4.3, start=2.0)
    text = Stream(server, chunk_size=chunk_size).run(samples, piece=5000)
    assert text == alone(samples, chunk_size)
    assert text


def test_small_pieces_cost_no_more_encoder_passes(server):
    samples = cut(6.0, start=1.0)
    passes, texts = [], []
    for piece in (960, PIECE, len(samples)):
        before = read_statistics(server.http_url)
        texts.append(Stream(server).run(samples, piece))
        passes.append(wait_for_inferences(server, before, "streaming_encoder", 11).inferences)
    assert passes == [11, 11, 11]  # ten chunks and the look-ahead of the last
    assert len(set(texts)) == 1


@pytest.mark.parametrize("pieces", [[1], [1, 0], [0], [0, 0], [399], [400], [800, 1], [5, 9600, 0]])
def test_every_short_stream_ends(server, pieces):
    samples = cut(1.0, start=3.0)[: sum(pieces)]
    stream = Stream(server)
    for begin, size in zip(np.cumsum([0, *pieces]).tolist(), pieces, strict=False):
        is_last = begin + size == len(samples) and stream.new_texts.__len__() == len(pieces) - 1
        outputs = stream.send(samples[begin : begin + size], end=is_last)
        assert bool(outputs["IS_FINAL"][0, 0]) == is_last
    assert stream.text == outputs["TEXT"][0, 0].decode() == alone(samples)


def test_text_grows_and_words_belong_to_it(server):
    samples = cut(5.0, start=4.0)
    stream = Stream(server)
    for begin in range(0, len(samples), 4000):
        outputs = stream.send(samples[begin : begin + 4000])
        assert outputs["TEXT"][0, 0].decode().startswith(stream.text)
        assert not outputs["IS_FINAL"][0, 0]
    last = stream.send(samples[:0], end=True)
    assert last["TEXT"][0, 0].decode() == stream.text
    assert "".join(word for word, *_ in stream.words) == stream.text.replace(" ", "")
    ends = [end for *_, end in stream.words]
    assert ends == sorted(ends) and 0 < ends[-1] <= 5000 + 60


def test_interleaved_sessions_equal_isolated_ones(server):
    """200 sessions at random: some abandoned, their ids used again, cuts of any size."""
    rng = random.Random(1)
    recordings = [cut(rng.uniform(0.3, 2.5), start=rng.uniform(0, 60)) for _ in range(200)]
    abandoned = set(rng.sample(range(200), 60))
    reused = dict(zip(sorted(abandoned)[:30], range(1000, 1030), strict=True))

    def live(index: int) -> str | None:
        local = random.Random(index)
        samples = recordings[index]
        stream = Stream(server, key=reused.get(index, 5000 + index))
        if index in abandoned:
            stream.send(samples[: local.randrange(len(samples))])
            if index not in reused:
                return None
        return _cut_at_random(Stream(server, key=stream.key), samples, local)

    order = list(range(200))
    rng.shuffle(order)
    with ThreadPoolExecutor(50) as pool:
        texts = dict(zip(order, pool.map(live, order), strict=True))
    for index, samples in enumerate(recordings):
        if texts[index] is not None:
            assert texts[index] == alone(samples), index


def test_sessions_in_one_batch_at_a_time_equal_isolated_ones(small_server):
    """As on a GPU: what gathers during a batch is the next one, with and without windows."""
    rng = random.Random(2)
    recordings = [cut(rng.uniform(0.3, 2.5), start=rng.uniform(0, 60)) for _ in range(24)]

    def live(index: int) -> str:
        return _cut_at_random(Stream(small_server), recordings[index], random.Random(index))

    with ThreadPoolExecutor(3) as pool:
        texts = list(pool.map(live, range(24)))
    assert texts == [alone(samples) for samples in recordings]


def _cut_at_random(stream: Stream, samples: np.ndarray, rng: random.Random) -> str:
    begin = 0
    while begin < len(samples):
        size = rng.choice([1, 160, 960, 5000, 9600, 30_000])
        stream.send(samples[begin : begin + size], end=begin + size >= len(samples))
        begin += size
    return stream.text


def test_a_session_too_many_is_refused_and_no_other_is_touched(small_server):
    samples = cut(2.0, start=6.0)
    streams = [Stream(small_server) for _ in range(3)]
    for stream in streams:
        stream.send(samples[:PIECE])
    refused = Stream(small_server)
    with pytest.raises(InferenceServerException, match="at most 3 open sessions"):
        refused.send(samples[:PIECE])
    for stream in streams:
        stream.send(samples[PIECE:], end=True)
        assert stream.text == alone(samples)
    assert Stream(small_server).run(samples) == alone(samples)
    with pytest.raises(InferenceServerException, match="no state for sequence"):
        refused.send(samples[:0], start=False, end=True)


def test_abandoned_sequences_make_way_and_a_pause_costs_nobody_his_stream(small_server):
    """The server takes three; two are abandoned, and the third, the oldest, only pauses.

    Those of another process than the new one make way within a second.
    """
    samples = cut(2.0, start=1.0)
    with Client(f"grpc://{small_server.grpc_url}") as client, client.stream() as session:
        session.send(samples[:16000])
        abandoned = [Stream(small_server) for _ in range(2)]
        for stream in abandoned:
            stream.send(samples[:3000])
        with pytest.raises(SessionLimitReached):
            client.stream().open()
        time.sleep(10.5)
        others = [opened_soon(client) for _ in range(2)]
        for other in others:
            other.send(samples)
        with pytest.raises(InferenceServerException, match="made way for a new one"):
            abandoned[0].send(samples[:3000])
        session.send(samples[16000:])
        assert session.finish().text == alone(samples)
        assert [other.finish().text for other in others] == [alone(samples)] * 2


def opened_soon(client: Client) -> StreamSession:
    """Open a session, again as long as there is no room."""
    deadline_s = time.monotonic() + 20
    while True:
        session = client.stream()
        try:
            session.open()
            return session
        except SessionLimitReached:
            assert time.monotonic() < deadline_s
            time.sleep(0.5)


def test_a_session_that_is_dropped_is_ended(fresh_server):
    client = Client(f"grpc://{fresh_server.grpc_url}")
    for _ in range(3):
        session = client.stream()
        session.open()
        session.send(cut(1.0, start=1.0))
    wait_for_open_sessions(fresh_server, 1, timeout_s=20)  # the last is still referred to
    del session
    gc.collect()
    wait_for_open_sessions(fresh_server, 0, timeout_s=20)
    client.close()


def test_sequence_without_start_is_refused(server):
    with pytest.raises(InferenceServerException, match="START"):
        Stream(server).send(cut(1.0, start=1.0), start=False)


def test_audio_after_the_end_is_refused(server):
    stream = Stream(server)
    stream.run(cut(1.0, start=1.0))
    with pytest.raises(InferenceServerException, match="START"):
        stream.send(cut(1.0, start=2.0), start=False)


def test_repeated_start_begins_anew(server):
    samples = cut(2.0, start=8.0)
    first = Stream(server)
    first.send(cut(1.5, start=20.0))
    again = Stream(server, key=first.key)
    assert again.run(samples) == alone(samples)


BAD = {
    "nan": (np.full(9600, np.nan, np.float32), None, "NaN"),
    "length": (np.zeros(100, np.float32), 101, "expected 0 to 100"),
    "negative": (np.zeros(100, np.float32), -1, "expected 0 to 100"),
    "too_long": (np.zeros(16_000 * 31, np.float32), None, "at most 30 s"),
}


@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize("name", BAD)
def test_bad_audio_ends_its_own_session_only(small_server, name, end):
    """More failed sessions than there is room for, in the middle and at the end."""
    bad, length, message = BAD[name]
    samples = cut(2.0, start=9.0)
    neighbour = Stream(small_server)
    neighbour.send(samples[:PIECE])
    for _ in range(4):
        stream = Stream(small_server)
        stream.send(samples[:PIECE])
        with pytest.raises(InferenceServerException, match=message):
            stream.send(bad, length=length, end=end)
        with pytest.raises(InferenceServerException, match=ENDED):
            stream.send(samples[:0], start=False, end=True)
    neighbour.send(samples[PIECE:], end=True)
    assert neighbour.text == alone(samples)


def test_unknown_chunk_size_is_refused(server):
    with pytest.raises(InferenceServerException, match='expected "5,10,5" or'):
        Stream(server, chunk_size="5,11,5").send(np.zeros(1600, np.float32))


def test_live_streams_are_told_when_a_model_process_is_gone(tmp_path):
    """Killed, the extractor's processes take their states along; no stream waits for ever."""
    with serve_models(tmp_path, {"paraformer-online": TINY}) as server:
        stream = Stream(server)
        stream.send(cut(1.0, start=1.0))
        stubs = [
            process
            for process in psutil.Process(server.pid).children(recursive=True)
            if any("streaming_feature_extractor" in word for word in process.cmdline())
        ]
        for stub in stubs:  # one an instance; the stream lives in either
            stub.kill()
        with pytest.raises(InferenceServerException):
            stream.send(cut(1.0, start=2.0), timeout=60)
