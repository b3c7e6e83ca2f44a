"""The exported LFR + CMVN + position graph against funasr_onnx's own front end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import soundfile
from funasr_onnx.utils.frontend import (
    SinusoidalPositionEncoderOnline,
    WavFrontend,
    WavFrontendOnline,
)
from numpy.typing import NDArray

from asr_core.features import Cmvn, KaldiNativeFbank
from asr_server.commands.export_front_end import main
from asr_server.graphs import FrontEnd, PrepareError, load_front_end
from asr_server.graphs.front_end import sinusoidal_positions
from lab.random_models.architecture import FRONTEND_CONF

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "tests" / "data" / "random_models" / "paraformer_online-tiny-seed0"
WAVS = sorted((ROOT / "embedded_models" / "samples").glob("*.wav"))
SCALE = 32.0**0.5  # of that model
CHUNK = 9600
# Rows are about 6 deviations x sqrt(32); FunASR normalises in float64.
ATOL = 1e-4

Features = NDArray[np.float32]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> onnxruntime.InferenceSession:
    path = tmp_path_factory.mktemp("front_end") / "lfr_cmvn_pe.onnx"
    assert main([str(path), "--from", str(MODEL)]) == 0
    model = onnx.load(path)
    assert model.ir_version <= 10
    assert model.opset_import[0].version <= 21
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def run(
    session: onnxruntime.InferenceSession,
    fbank: Features,
    first_position: int,
    positions: NDArray[np.int64],
) -> Features:
    feed = {
        "fbank": fbank[None],
        "first_position": np.array([[first_position]], np.int32),
        "positions": positions[None].astype(np.int32),
    }
    (rows,) = session.run(["speech"], feed)
    return rows[0]


def slab(path: Path) -> tuple[Features, int]:
    """Frames of a whole file, the repeated ones at both ends put in; and its stacked frames."""
    fbank = KaldiNativeFbank()(soundfile.read(path, dtype="float32")[0])
    stacks = -(-len(fbank) // 6)
    last = np.clip(np.arange(stacks * 6 + 1) - 3, 0, len(fbank) - 1)
    return fbank[last], stacks


def funasr_rows(path: Path) -> Features:
    """LFR and CMVN of a whole file by `WavFrontend`, scaled, with positions from 1 on."""
    frontend = WavFrontend(cmvn_file=str(MODEL / "am.mvn"), **FRONTEND_CONF)
    fbank, _ = frontend.fbank(soundfile.read(path, dtype="float32")[0])
    features = frontend.lfr_cmvn(fbank)[0].astype(np.float32)
    return SinusoidalPositionEncoderOnline().forward(features[None] * np.float32(SCALE))[0]


def funasr_chunks(path: Path) -> Iterator[tuple[int, Features]]:
    """Rows of each 600 ms chunk by `WavFrontendOnline`, with the number of rows before it."""
    frontend = WavFrontendOnline(cmvn_file=str(MODEL / "am.mvn"), **FRONTEND_CONF)
    encoder = SinusoidalPositionEncoderOnline()
    samples = soundfile.read(path, dtype="float32")[0]
    start = 0
    for begin in range(0, len(samples), CHUNK):
        chunk = samples[None, begin : begin + CHUNK]
        final = begin + CHUNK >= len(samples)
        lengths = np.array([chunk.shape[1]], np.int32)
        features, _ = frontend.extract_fbank(chunk, lengths, final)
        if features.ndim == 3:
            rows = encoder.forward(features.astype(np.float32) * np.float32(SCALE), start)[0]
            yield start, rows
            start += len(rows)


@pytest.mark.parametrize("path", WAVS, ids=lambda path: path.stem)
def test_equals_funasr_on_a_whole_file(path: Path, session: onnxruntime.InferenceSession) -> None:
    fbank, stacks = slab(path)
    expected = funasr_rows(path)
    assert expected.shape == (stacks, 560)
    got = run(session, fbank, 1, np.arange(1, stacks + 1))
    np.testing.assert_allclose(got, expected, atol=ATOL)


@pytest.mark.parametrize("path", WAVS[:2], ids=lambda path: path.stem)
def test_equals_funasr_chunk_by_chunk(path: Path, session: onnxruntime.InferenceSession) -> None:
    fbank, stacks = slab(path)
    seen = 0
    for start, expected in funasr_chunks(path):
        # Each chunk gets only its own stretch of the frames.
        frames = fbank[6 * start : 6 * (start + len(expected)) + 1]
        positions = np.arange(start + 1, start + len(expected) + 1)
        got = run(session, frames, start + 1, positions)
        np.testing.assert_allclose(got, expected, atol=ATOL)
        seen += len(expected)
    assert seen == stacks


def test_numpy_form_equals_the_graph(session: onnxruntime.InferenceSession) -> None:
    front_end = load_front_end(MODEL)
    rng = np.random.default_rng(0)
    fbank = rng.normal(10, 6, (6 * 12 + 1, 80)).astype(np.float32)
    positions = np.array([0, -3, 41, 42, 42, 50, 41, 52, 0])
    expected = front_end(fbank, 41, positions)
    np.testing.assert_allclose(run(session, fbank, 41, positions), expected, atol=ATOL)
    assert not expected[[0, 1, 8]].any()
    np.testing.assert_array_equal(expected[3], expected[4])


def test_positions_outside_the_slab_do_not_fail(session: onnxruntime.InferenceSession) -> None:
    fbank = np.ones((7, 80), np.float32)
    rows = run(session, fbank, 3, np.array([3, 4, 100, 1]))
    np.testing.assert_array_equal(rows[0], run(session, fbank, 3, np.array([3]))[0])


def test_padding_of_the_slab_is_never_read(session: onnxruntime.InferenceSession) -> None:
    fbank = np.random.default_rng(1).normal(10, 6, (13, 80)).astype(np.float32)
    padded = np.concatenate((fbank, np.full((30, 80), np.nan, np.float32)))
    positions = np.array([0, 7, 8, -100])
    np.testing.assert_array_equal(
        run(session, padded, 7, positions), run(session, fbank, 7, positions)
    )


def test_positions_of_a_long_stream(session: onnxruntime.InferenceSession) -> None:
    """Ten hours of 60 ms rows: the angles are large, the encoding must not drift."""
    positions = np.array([1, 100, 10_000, 600_000])
    (expected,) = SinusoidalPositionEncoderOnline().encode(positions[None], 560, np.float32)
    np.testing.assert_array_equal(sinusoidal_positions(positions, 560), expected)
    fbank = -np.tile(load_front_end(MODEL).cmvn.shift[:80], (7, 1))  # normalised to zero
    for position, encoding in zip(positions, expected, strict=True):
        got = run(session, fbank, int(position), np.array([position]))[0]
        np.testing.assert_allclose(got, encoding, atol=2e-5)


def test_command_line_without_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out.onnx"
    mvn = str(MODEL / "am.mvn")
    assert main([str(target), "--mvn", mvn, "--output-size", "32"]) == 0
    (output,) = onnx.load(target).graph.output
    assert output.type.tensor_type.shape.dim[2].dim_value == 560
    target.unlink()
    assert main([str(target), "--mvn", mvn, "--output-size", "32", "--lfr-m", "5"]) == 1
    assert "am.mvn: expected 400 dimensions (5 frames of 80 mel bins), got 560" in (
        capsys.readouterr().err
    )
    assert not target.exists()
    with pytest.raises(SystemExit):
        main([str(target), "--mvn", mvn])


def test_config_without_the_settings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("encoder_conf: {output_size: 32}\n")
    with pytest.raises(PrepareError, match=r"encoder_conf\.output_size and .*missing"):
        load_front_end(tmp_path)


def test_cmvn_of_another_dimension_is_refused() -> None:
    cmvn = Cmvn(np.zeros(400, np.float32), np.ones(400, np.float32))
    with pytest.raises(PrepareError, match=r"expected 560 dimensions .* got 400"):
        FrontEnd(cmvn, 512)
