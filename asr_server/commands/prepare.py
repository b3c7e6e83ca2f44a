"""Prepares FunASR's exported ONNX for serving: token ids out, rows independent of their batch.

    python -m scripts.prepare_onnx model.onnx prepared.onnx
    python -m scripts.prepare_onnx model.onnx prepared.onnx --wav speech.wav --am-mvn am.mvn
    python -m scripts.prepare_onnx decoder.onnx prepared.onnx

The prepared file is written only when it is proved equal to the original for each row alone, and
independent of padding and of the other rows of a batch.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

from asr_server.graphs.errors import PrepareError
from asr_server.graphs.preparation import KindChoice, prepare
from asr_server.graphs.report import Report, read_metadata
from asr_server.graphs.verify import Features

__all__ = ["PrepareError", "Report", "main", "prepare", "read_features", "read_metadata"]


def read_features(wavs: list[Path], am_mvn: Path) -> list[Features]:
    """Compute the features [T, 560] of 16 kHz mono files, for a proof on real speech.

    Raises:
        ValueError: a file is not 16 kHz mono, or `am_mvn` is not a CMVN file.
    """
    import soundfile

    from asr_contract import SAMPLE_RATE
    from asr_core.features.cmvn import load_cmvn
    from asr_core.features.frontend import Frontend

    frontend = Frontend(load_cmvn(am_mvn))
    features = []
    for path in wavs:
        waveform, sample_rate = soundfile.read(path, dtype="float32")
        if sample_rate != SAMPLE_RATE or waveform.ndim != 1:
            raise ValueError(
                f"{path}: expected {SAMPLE_RATE} Hz, one channel; got {sample_rate} Hz, "
                f"{waveform.ndim if waveform.ndim == 1 else waveform.shape[1]} channels"
            )
        features.append(frontend(waveform))
    return features


def main(arguments: list[str] | None = None) -> int:
    """Prepare the file named on the command line; return 0, or 1 where it is refused."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "source", type=Path, help="model.onnx, decoder.onnx or their *_quant.onnx from FunASR"
    )
    parser.add_argument("target", type=Path, help="the file to write")
    parser.add_argument("--kind", choices=get_args(KindChoice), default="auto")
    parser.add_argument("--wav", type=Path, nargs="+", default=[], help="also prove it on these")
    parser.add_argument("--am-mvn", type=Path, help="default: am.mvn beside the source")
    parser.add_argument(
        "--row-by-row",
        action="store_true",
        help="for graphs without the expected patterns: run the rows of a batch one by one",
    )
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        am_mvn = options.am_mvn or options.source.parent / "am.mvn"
        report = prepare(
            options.source,
            options.target,
            kind=options.kind,
            recordings=read_features(options.wav, am_mvn) if options.wav else (),
            row_by_row=options.row_by_row,
            threads=options.threads,
        )
    except (PrepareError, OSError, ValueError) as error:
        print(f"prepare_onnx: {error}", file=sys.stderr)
        return 1
    way = "row by row" if report.row_by_row else "all rows at once"
    print(f"{options.target}: {report.kind}, {report.precision}, {way}")
    for name, value in {**report.edits, **report.figures}.items():
        print(f"  {name.replace('_', ' ')}: {value:.3g}")
    for message in report.messages:
        print(message)
    return 0


if __name__ == "__main__":
    sys.exit(main())
