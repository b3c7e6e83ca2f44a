"""Models of full size with random weights: prepared, served, and equal to `funasr_onnx`.

They are exported by `scripts.export_random_models` (needs the export extra) and kept in .cache.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from asr_server.places import ROOT
from lab.random_models.command import CACHE
from tests.funasr_reference import ParaformerReference, SenseVoiceReference, StreamingReference
from tests.recordings import cut
from tests.serving import RawClient, serve_models
from tests.streams import Stream

pytestmark = pytest.mark.soak

LENGTHS_S = (0.7, 2.3, 5.1, 9.8, 16.4, 29.0)


def exported(kind):
    """The exported model, made if need be (half a minute and 1 GB each)."""
    target = ROOT / CACHE / f"{kind}-full-seed0"
    if not target.exists():
        command = [sys.executable, "-m", "scripts.export_random_models", kind, "--size", "full"]
        subprocess.run(command, cwd=ROOT, check=True)
    return target


def recordings():
    return [cut(seconds, 4 * seconds) for seconds in LENGTHS_S]


@pytest.mark.parametrize("kind", ["paraformer", "bicif_paraformer"])
def test_paraformer(tmp_path, kind):
    source = exported(kind)
    with serve_models(tmp_path, {"paraformer": source}) as server:
        client = RawClient(server)
        answers = [client.recognise("paraformer", [samples])[0] for samples in recordings()]
        together = client.recognise("paraformer", recordings())
    assert together == answers
    reference = ParaformerReference(source, threads=2)
    for samples, answer in zip(recordings(), answers, strict=True):
        text, times = reference.text_and_times(samples)
        assert answer.transcript == text
        if times is not None:
            np.testing.assert_allclose(answer.timestamps, times, atol=1)


def test_sensevoice(tmp_path):
    source = exported("sensevoice")
    with serve_models(tmp_path, {"sensevoice": source}) as server:
        client = RawClient(server)
        answers = [client.recognise("sensevoice", [samples])[0] for samples in recordings()]
        together = client.recognise("sensevoice", recordings())
    assert together == answers
    reference = SenseVoiceReference(source, threads=2)
    for samples, answer in zip(recordings(), answers, strict=True):
        assert answer.transcript == reference.text(samples, "auto", "withitn")


def test_streaming_paraformer(tmp_path):
    source = exported("paraformer_online")
    reference = StreamingReference(source, threads=2)
    with serve_models(tmp_path, {"paraformer-online": source}) as server:
        for seconds in (0.1, 0.5, 0.66, 2.34, 5.0, 9.97):
            samples = cut(seconds, 4 * seconds)
            assert Stream(server).run(samples) == reference.text(samples), seconds
