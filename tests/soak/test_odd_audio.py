"""Two thousand files of any kind, made from one recording: nothing is lost without a word."""

from __future__ import annotations

import pytest
import soundfile

from asr_client import Client
from asr_server.places import ROOT
from tests.client.test_odd_audio import check_seeds

pytestmark = pytest.mark.soak

FIRST, FILES, PIECE = 1_000, 2_000, 250


@pytest.mark.parametrize("first", range(FIRST, FIRST + FILES, PIECE))
def test_two_thousand_files(triton_server, tmp_path, first):
    path = ROOT / "embedded_models" / "samples" / "zh_1.wav"
    speech = soundfile.read(path, dtype="float32")[0]
    with Client(triton_server.grpc_url) as client:
        check_seeds(client, speech, range(first, first + PIECE), tmp_path)
