"""FSMN-VAD on a real server: parity, any arrival, whole recordings, states that end."""

from __future__ import annotations

import random
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from tritonclient.utils import InferenceServerException

from asr_server.install.funasr_vad_reference import VadReference
from asr_server.run import TritonServer
from lab.benchmark.server_statistics import read_statistics
from lab.training.exported_graphs import ExportedVad
from tests.server_counters import wait_for_inferences
from tests.serving import install_models, running, serve_models
from tests.streams import Segments, VadSequence, wait_for_open_sessions
from tests.vad_reference import (
    TINY_VAD,
    VAD_MODELS,
    OnlineReference,
    clear_recordings,
    cut_at_random,
    join_segments,
    with_pauses,
)

IDLE_S = 3
TOGETHER = 16
ENDED = re.compile("START|no state for sequence")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serve_models(tmp_path_factory.mktemp("vad"), {"vad": TINY_VAD}) as server:
        yield server


@pytest.fixture(scope="module")
def small_server(tmp_path_factory):
    """Room for three sessions."""
    parameters = {"max_sessions": "3"}
    with serve_models(tmp_path_factory.mktemp("few"), {"vad": TINY_VAD}, parameters) as server:
        yield server


@pytest.fixture(scope="module")
def gathering_server(tmp_path_factory):
    """Requests wait ten seconds for each other, or until there are eight of them.

    Else the speed of clients and machine would decide which of them meet.
    """
    work = tmp_path_factory.mktemp("gathering")
    (repository,) = install_models(work, {"vad": TINY_VAD})
    config = repository / "vad" / "config.pbtxt"
    text, changes = re.subn(
        r"oldest \{(.*)\}",
        r"oldest {\1 preferred_batch_size: [ 8 ] max_queue_delay_microseconds: 10000000 }",
        config.read_text(),
    )
    assert changes == 1
    config.write_text(text)
    with running(TritonServer([repository], log=work / "server.log")) as server:
        yield server


@pytest.fixture(scope="module")
def impatient_server(tmp_path_factory):
    """Sessions may be idle for three seconds."""
    parameters = {"max_sequence_idle_microseconds": str(IDLE_S * 1_000_000)}
    with serve_models(tmp_path_factory.mktemp("idle"), {"vad": TINY_VAD}, parameters) as server:
        yield server


def alone(samples: np.ndarray, **options) -> Segments:
    """The segments of a recording, by FunASR's graph and without a server."""
    return join_segments(ExportedVad(TINY_VAD).segments([samples], **options))


@pytest.mark.parametrize("name", VAD_MODELS)
def test_parity_with_funasr(request, tmp_path, name):
    directory = VAD_MODELS[name]
    if directory == TINY_VAD:
        compare_with_funasr(request.getfixturevalue("server"), directory)
        return
    with serve_models(tmp_path, {"vad": directory}) as server:
        compare_with_funasr(server, directory)


def compare_with_funasr(server: TritonServer, directory) -> None:
    offline, online = VadReference(directory), OnlineReference(directory)
    options = {"max_end_silence_time": 300, "speech_noise_thres": 0.5}
    vad = ExportedVad(directory)
    for samples in clear_recordings(vad, 2):
        assert VadSequence(server).run([samples]) == [offline.segments(samples)]
        pieces = cut_at_random(samples, np.random.default_rng(0), 960, 9600)
        assert VadSequence(server).run(pieces) == online.segments(pieces)
    for samples in clear_recordings(vad, 2, **options):
        texts = {name: str(value) for name, value in options.items()}
        assert VadSequence(server, **texts).run([samples]) == [offline.segments(samples, **options)]


def test_streams_at_a_time_equal_themselves_alone(server):
    """Random cuts; a third are abandoned, ids are used again."""
    rng = random.Random(1)
    recordings = [with_pauses(seed, 2)[: rng.randint(4000, 64_000)] for seed in range(60)]

    def live(index: int) -> Segments:
        samples, key = recordings[index], 7000 + index
        if index % 3 == 0:
            VadSequence(server, key=key).send(samples[:3000])
        cuts = cut_at_random(samples, np.random.default_rng(index), 1, 20_000)
        return join_segments(VadSequence(server, key=key).run(cuts))

    with ThreadPoolExecutor(30) as pool:
        found = list(pool.map(live, range(len(recordings))))
    assert found == [alone(samples) for samples in recordings]
    assert sum(map(bool, found)) > 30


def test_streams_that_wait_together_share_runs(gathering_server):
    """Many rows in one encoder run."""
    recordings = [with_pauses(seed)[:48_000] for seed in range(TOGETHER)]
    before = read_statistics(gathering_server.http_url)
    with ThreadPoolExecutor(TOGETHER) as pool:
        found = list(
            pool.map(lambda samples: VadSequence(gathering_server).run([samples]), recordings)
        )
    assert [join_segments(segments) for segments in found] == [alone(each) for each in recordings]
    encoder = wait_for_inferences(gathering_server, before, "vad_encoder", TOGETHER)
    assert encoder.mean_batch > 1.2


@pytest.mark.parametrize("pieces", [[0], [1], [399], [400, 0], [0, 0, 0], [800, 1]])
def test_every_short_stream_ends(server, pieces):
    samples = with_pauses(0)[: sum(pieces)]
    cuts = np.split(samples, np.cumsum(pieces)[:-1])
    assert VadSequence(server).run(cuts) == [[]] * len(pieces)


def test_a_session_too_many_is_refused_and_no_other_is_touched(small_server):
    samples = with_pauses(0)[:40_000]
    streams = [VadSequence(small_server) for _ in range(3)]
    first = [stream.send(samples[:9600]) for stream in streams]
    refused = VadSequence(small_server)
    with pytest.raises(InferenceServerException, match="at most 3 open sessions"):
        refused.send(samples)
    whole = VadSequence(small_server).run([samples])  # needs no place
    assert join_segments(whole) == alone(samples)
    for stream, answer in zip(streams, first, strict=True):
        assert join_segments([answer, stream.send(samples[9600:], end=True)]) == alone(samples)
    with pytest.raises(InferenceServerException, match="no state for sequence"):
        refused.send(samples[:0], start=False, end=True)


def test_a_session_that_idled_too_long_is_freed_and_told(impatient_server):
    streams = [VadSequence(impatient_server) for _ in range(3)]
    for stream in streams:
        stream.send(with_pauses(0)[:16_000])
    wait_for_open_sessions(impatient_server, 0, model="vad")
    for stream in streams:
        with pytest.raises(InferenceServerException, match=ENDED):
            stream.send(with_pauses(0)[:16_000], end=True)


def test_sequence_rules(server):
    """Without START, after END: refused. A repeated START begins anew."""
    samples = with_pauses(1)[:48_000]
    with pytest.raises(InferenceServerException, match="START"):
        VadSequence(server).send(samples, start=False)
    stream = VadSequence(server)
    stream.run([samples])
    with pytest.raises(InferenceServerException, match="START"):
        stream.send(samples, start=False)
    again = VadSequence(server)
    again.send(samples)
    assert join_segments(VadSequence(server, key=again.key).run([samples])) == alone(samples)


BAD = {
    "nan": ({"samples": np.full(9600, np.nan, np.float32)}, {}, "NaN"),
    "length": ({"samples": np.zeros(9, np.float32), "length": 10}, {}, "expected 0 to 9"),
    "too_long": ({"samples": np.zeros(16_000 * 121, np.float32)}, {}, "at most 120 s"),
    "option": ({"samples": np.zeros(9, np.float32)}, {"do_extend": 7}, "do_extend: expected 0 to"),
    "word": (
        {"samples": np.zeros(9, np.float32)},
        {"speech_noise_thres": "high"},
        "speech_noise_thres: expected a number, got 'high'",
    ),
}


@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize("name", BAD)
def test_bad_requests_end_their_own_session_only(small_server, name, end):
    """More failed sessions than there is room for."""
    request, options, message = BAD[name]
    samples = with_pauses(1)[:32_000]
    neighbour = VadSequence(small_server)
    answer = neighbour.send(samples[:9600])
    for _ in range(4):
        stream = VadSequence(small_server, **options)
        if not options:
            stream.send(samples[:9600])
        with pytest.raises(InferenceServerException, match=message):
            stream.send(**request, end=end)
        with pytest.raises(InferenceServerException, match=ENDED):
            stream.send(samples[:0], start=False, end=True)
    assert join_segments([answer, neighbour.send(samples[9600:], end=True)]) == alone(samples)


def test_live_streams_are_told_when_the_process_is_gone(tmp_path):
    with serve_models(tmp_path, {"vad": TINY_VAD}) as server:
        stream = VadSequence(server)
        stream.send(with_pauses(0)[:16_000])
        stub = next(
            process
            for process in psutil.Process(server.pid).children(recursive=True)
            if any("/vad/1/" in word for word in process.cmdline())
        )
        stub.kill()
        with pytest.raises(InferenceServerException):
            stream.send(with_pauses(0)[:16_000], timeout=60)
