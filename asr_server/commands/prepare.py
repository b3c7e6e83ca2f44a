"""Prepares FunASR's exported ONNX for serving: token ids out, rows independent of their batch.

    triton-asr-server prepare model.onnx prepared.onnx
    triton-asr-server prepare model.onnx prepared.onnx --wav speech.wav --am-mvn am.mvn
    triton-asr-server prepare decoder.onnx prepared.onnx

The prepared file is written only when it is proved equal to the original for each row alone, and
independent of padding and of the other rows of a batch.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from asr_contract.command_parser import CommandParser
from asr_server.commands.output import report_error, report_line
from asr_server.extras import require
from asr_server.models import Device, GraphKindChoice, OnnxRuntime


def main(arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Prepare the file named on the command line; return 0, or 1 where it is refused."""
    parser = CommandParser(
        prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "source", type=Path, help="model.onnx, decoder.onnx or their *_quant.onnx from FunASR"
    )
    parser.add_argument("target", type=Path, help="the file to write")
    parser.add_argument("--kind", choices=get_args(GraphKindChoice), default="auto")
    parser.add_argument("--wav", type=Path, nargs="+", default=[], help="also prove it on these")
    parser.add_argument("--am-mvn", type=Path, help="default: am.mvn beside the source")
    parser.add_argument(
        "--row-by-row",
        action="store_true",
        help="for graphs without the expected patterns: run the rows of a batch one by one",
    )
    parser.add_argument("--device", choices=get_args(Device), default="cpu", help="to be fast on")
    parser.add_argument(
        "--onnxruntime",
        choices=get_args(OnnxRuntime),
        default="1.19",
        help="the oldest that has to read a graph for a GPU; default: %(default)s",
    )
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        require("server")
        from asr_server.graphs import prepare
        from asr_server.recordings import read_features

        am_mvn = options.am_mvn or options.source.parent / "am.mvn"
        report = prepare(
            options.source,
            options.target,
            kind=options.kind,
            recordings=read_features(options.wav, am_mvn) if options.wav else (),
            row_by_row=options.row_by_row,
            device=options.device,
            onnxruntime=options.onnxruntime,
            threads=options.threads,
        )
    except Exception as error:  # a graph is somebody's file: a refusal, never a traceback
        return report_error(parser, error)
    way = "row by row" if report.row_by_row else "all rows at once"
    report_line(f"{options.target}: {report.kind}, {report.precision}, {way}")
    for name, value in {**report.edits, **report.figures}.items():
        report_line(f"  {name.replace('_', ' ')}: {value:.3g}")
    for message in report.messages:
        report_line(message)
    return 0
