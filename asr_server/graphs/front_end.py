"""LFR, CMVN and position encoding of the streaming encoder, as a graph to put in front of it.

The caller sends a slab of log-mel frames and says which of its stacked frames the encoder's rows
are; nothing element-wise is left to be done between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, helper

from asr_core.config import load_config
from asr_core.features import LFR_SHIFT, LFR_WINDOW, NUM_MEL_BINS, Cmvn, load_cmvn
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.graph import FLOAT, INT32, INT64, Dims, Graph

FBANK, FIRST_POSITION, POSITIONS = "fbank", "first_position", "positions"
INPUTS: dict[str, tuple[int, Dims]] = {
    FBANK: (FLOAT, ["batch", "fbank_frames", "mel_bins"]),
    FIRST_POSITION: (INT32, ["batch", 1]),
    POSITIONS: (INT32, ["batch", "frames"]),
}

_OPSET, _IR_VERSION = 14, 7  # of the front end alone: those of FunASR's own export
OUTPUT = "speech"  # what the encoder's input is called

Positions = NDArray[np.signedinteger[Any]]

_LONGEST_PERIOD = 10_000  # of the sines, over 2 pi


@dataclass(frozen=True)
class FrontEnd:
    """What stands between the log-mel frames and the streaming encoder of one model.

    A row at position p > 0 is `CMVN(stacked frame p - first_position) * sqrt(D) + encoding(p)`;
    positions below 1, which lie before the stream or behind its end, are rows of zeros.

    Attributes:
        cmvn: normalisation of the stacked frames, dimension `lfr_window` x `num_mel_bins`.
        output_size: D, the encoder's width.
        num_mel_bins: width of a frame.
        lfr_window: frames side by side in one stacked frame.
        lfr_shift: frames from one stacked frame to the next.

    Raises:
        PrepareError: CMVN and stacked frames differ in dimension.
    """

    cmvn: Cmvn
    output_size: int
    num_mel_bins: int = NUM_MEL_BINS
    lfr_window: int = LFR_WINDOW
    lfr_shift: int = LFR_SHIFT

    def __post_init__(self) -> None:
        if self.cmvn.shift.shape != (self.feature_dim,):
            raise PrepareError(
                f"am.mvn: expected {self.feature_dim} dimensions ({self.lfr_window} frames of "
                f"{self.num_mel_bins} mel bins), got {len(self.cmvn.shift)}"
            )

    @property
    def feature_dim(self) -> int:
        """Width of a stacked frame."""
        return self.lfr_window * self.num_mel_bins

    def __call__(
        self,
        fbank: NDArray[np.float32],
        first_position: int,
        positions: Positions,
    ) -> NDArray[np.float32]:
        """Compute in NumPy, for one stream, what the graph computes.

        Args:
            fbank: float32 [F, num_mel_bins].
            first_position: 1-based stream position of the stacked frame that starts at frame 0.
            positions: int32 [T], the position of each row; 0 or less for a row of zeros.

        Returns:
            float32 [T, feature_dim].
        """
        real = positions > 0
        first = (positions[real, None] - first_position) * self.lfr_shift
        stacked = fbank[first + np.arange(self.lfr_window)].reshape(-1, self.feature_dim)
        rows = np.zeros((len(positions), self.feature_dim), np.float32)
        rows[real] = self.cmvn(stacked) * np.float32(self.output_size**0.5)
        rows[real] += sinusoidal_positions(positions[real], self.feature_dim)
        return rows

    def add_to(self, graph: Graph) -> str:
        """Add nodes that read the inputs `INPUTS`, and return what they compute.

        Rows beyond a stream's own may name positions that its slab does not hold; what they get
        is unspecified, but they do not fail.

        Returns:
            Name of a float32 tensor [B, T, feature_dim].
        """
        position = graph.cast(POSITIONS, INT64)
        row = graph.add("Sub", [position, graph.cast(FIRST_POSITION, INT64)])
        frame = graph.add("Mul", [row, graph.constant(self.lfr_shift, np.int64)])
        frames = graph.add(
            "Add", [graph.unsqueeze(frame, 2), graph.constant(range(self.lfr_window), np.int64)]
        )  # [B, T, lfr_window]
        last = graph.add("Sub", [graph.dim(FBANK, 1), graph.constant(1, np.int64)])
        within = graph.add("Max", [graph.add("Min", [frames, last]), graph.constant(0, np.int64)])
        picked = graph.add("GatherND", [FBANK, graph.unsqueeze(within, 3)], batch_dims=1)
        shape = graph.constant([0, 0, self.feature_dim], np.int64)
        stacked = graph.add("Reshape", [picked, shape])
        shifted = graph.add("Add", [stacked, graph.constant(self.cmvn.shift, np.float32)])
        scale = self.cmvn.scale * np.float32(self.output_size**0.5)
        normalised = graph.add("Mul", [shifted, graph.constant(scale, np.float32)])
        angles = graph.add(
            "Mul",
            [
                graph.unsqueeze(graph.cast(POSITIONS, FLOAT), 2),
                graph.constant(inverse_timescales(self.feature_dim), np.float32),
            ],
        )
        waves = [graph.add("Sin", [angles]), graph.add("Cos", [angles])]
        rows = graph.add("Add", [normalised, graph.add("Concat", waves, axis=-1)])
        real = graph.add("Greater", [position, graph.constant(0, np.int64)])
        zero = graph.constant(0.0, np.float32)
        return graph.add("Where", [graph.unsqueeze(real, 2), rows, zero])


def front_end_model(front_end: FrontEnd) -> ModelProto:
    """Build the graph.

    Returns:
        A model that takes `fbank` [B, F, mel bins], `first_position` [B, 1] and `positions` [B, T]
        and gives `speech` [B, T, lfr_window x mel bins], the input of FunASR's encoder.
    """
    model = helper.make_model(
        helper.make_graph([], "lfr_cmvn_pe", [], []),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    graph = Graph(model)
    graph.set_inputs(INPUTS)
    graph.add("Identity", [front_end.add_to(graph)], name=OUTPUT)
    graph.set_outputs({OUTPUT: (FLOAT, ["batch", "frames", front_end.feature_dim])})
    graph.finish()
    onnx.checker.check_model(model, full_check=True)
    return model


def load_front_end(model_dir: Path, mvn: Path | None = None) -> FrontEnd:
    """Read the front end of an exported streaming model.

    Args:
        model_dir: holds `config.yaml` and, unless `mvn` is given, `am.mvn`.
        mvn: a CMVN file elsewhere.

    Raises:
        FileNotFoundError: a file is missing.
        PrepareError: a file cannot be understood, or settings are missing or do not fit together.
    """
    mvn = mvn or model_dir / "am.mvn"
    try:
        config = load_config(model_dir)
        settings = config["frontend_conf"]
        output_size = int(config["encoder_conf"]["output_size"])
        sizes = [int(settings[name]) for name in ("n_mels", "lfr_m", "lfr_n")]
    except (KeyError, TypeError) as error:
        raise PrepareError(
            f"{model_dir / 'config.yaml'}: expected encoder_conf.output_size and "
            f"frontend_conf.n_mels, lfr_m, lfr_n; missing {error}"
        ) from error
    except ValueError as error:
        raise PrepareError(str(error)) from error
    try:
        cmvn = load_cmvn(mvn)
    except ValueError as error:
        raise PrepareError(str(error)) from error
    return FrontEnd(cmvn, output_size, *sizes)


def inverse_timescales(dim: int) -> NDArray[np.float32]:
    """Return the angular speeds of the `dim` / 2 sines, float32, from 1 down to 1/10000.

    In float32 from the start, as FunASR computes them: at position 10,000 the last bit shows.

    Source: funasr_onnx `utils/frontend.py`, `SinusoidalPositionEncoderOnline.encode`.
    """
    step = np.log(np.array([_LONGEST_PERIOD], np.float32)) / (dim / 2 - 1)
    speeds: NDArray[np.float32] = np.exp(np.arange(dim // 2, dtype=np.float32) * -step)
    return speeds.astype(np.float32)


def sinusoidal_positions(positions: Positions, dim: int) -> NDArray[np.float32]:
    """Return the encodings of 1-based stream positions [T]: float32 [T, dim], sines then cosines.

    Source: funasr_onnx `utils/frontend.py`, `SinusoidalPositionEncoderOnline`.
    """
    angles = positions.astype(np.float32)[:, None] * inverse_timescales(dim)
    encoded: NDArray[np.float32] = np.concatenate((np.sin(angles), np.cos(angles)), axis=1)
    return encoded
