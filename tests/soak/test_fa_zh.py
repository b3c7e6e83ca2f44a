"""`fa-zh` at its published size with random weights: installed from a folder as the hubs have it.

pytest -m soak -s tests/soak/test_fa_zh.py      (needs the `export` extra)
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_contract import SAMPLE_RATE
from asr_core.alignment import ALIGNER_ENCODER_OUTPUTS, CifRequest, load_cif_alignment
from asr_core.features import LFR_FRAME_MS
from asr_server.commands.install import main
from asr_server.graphs.session import Session
from asr_server.models import KINDS, copy_repository
from asr_server.places import ROOT
from tests.recordings import cut

pytestmark = pytest.mark.soak
CASES = ((2.2, "一是在不了有"), (6.0, "的一是在不了有的一是在"), (25.0, "一是在不了有" * 14))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """What the hub has: `model.pt`, `config.yaml` and tables, no ONNX."""
    folder = tmp_path_factory.mktemp("hub")
    command = [sys.executable, "-m", "scripts.export_random_models", "monotonic_aligner"]
    command += ["--size", "full", "--torch", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)
    (found,) = folder.iterdir()
    (found / "model.onnx").unlink()
    return found


def test_times_are_funasrs_within_a_frame(checkpoint, tmp_path, capsys):
    from funasr import AutoModel

    kind = KINDS["aligner"]
    repository = copy_repository(kind, tmp_path / "repository")
    arguments = ["--store", str(tmp_path / "store"), "--repository", str(repository)]
    assert main(["aligner", "--from", str(checkpoint), *arguments]) == 0
    assert "exporting" in capsys.readouterr().out
    session = Session(repository / kind.encoder / "1" / "model.onnx", threads=2, optimise=True)
    encode = session.function(ALIGNER_ENCODER_OUTPUTS)
    service = load_cif_alignment(repository / "aligner" / "1", 120, 16)
    model = AutoModel(model=str(checkpoint), device="cpu", disable_update=True)
    for seconds, text in CASES:
        samples = (np.round(cut(seconds, start=5.0) * 32767) / 32768).astype(np.float32)
        wav, words = tmp_path / "speech.wav", tmp_path / "text.txt"
        soundfile.write(wav, samples, SAMPLE_RATE, subtype="PCM_16")
        words.write_text(text, encoding="utf-8")
        (theirs,) = model.generate(
            input=(str(wav), str(words)), data_type=("sound", "text"), disable_pbar=True
        )
        encoded = np.array([[char.encode() for char in text]], np.object_)
        asked = CifRequest(samples[None], np.array([[len(samples)]], np.int32), encoded)
        (ours,) = service.answer([asked], encode)
        difference = np.abs(ours[0] - np.array(theirs["timestamp"]))
        print(f"\n{seconds} s, {len(text)} characters: at most {difference.max()} ms apart")
        assert difference.max() <= LFR_FRAME_MS
        assert (difference == 0).mean() > 0.95
