"""Writes a prepared graph in int8 or float16, and reports what that costs.

    triton-asr-server convert prepared.onnx int8.onnx --precision int8 --wav speech.wav
    triton-asr-server convert prepared.onnx fp16.onnx --precision fp16 --wav *.wav

`triton-asr-server install --precision` does the same to the model that it installs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from asr_contract.command_parser import CommandParser
from asr_server.commands.output import report_error, report_line
from asr_server.extras import require
from asr_server.models import DEFAULT_RECIPE, ConvertedPrecision, Int8Recipe


def main(arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Convert the file named on the command line; return 0, or 1 where it is refused."""
    parser = CommandParser(
        prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="in fp32, as prepare writes it")
    parser.add_argument("target", type=Path, help="the file to write")
    parser.add_argument("--precision", choices=get_args(ConvertedPrecision), required=True)
    parser.add_argument(
        "--recipe", choices=get_args(Int8Recipe), default=DEFAULT_RECIPE, help="of int8"
    )
    parser.add_argument("--wav", type=Path, nargs="+", required=True, help="real speech, 16 kHz")
    parser.add_argument("--am-mvn", type=Path, help="default: am.mvn beside the source")
    parser.add_argument("--report", type=Path, help="write the report as JSON too")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        require("server")
        from asr_server.graphs import convert
        from asr_server.recordings import read_features

        recordings = read_features(options.wav, options.am_mvn or options.source.parent / "am.mvn")
        report = convert(
            options.source,
            options.target,
            options.precision,
            recordings,
            recipe=options.recipe,
            threads=options.threads,
        )
    except Exception as error:  # a graph is somebody's file: a refusal, never a traceback
        return report_error(parser, error)
    report_line(f"{options.target}:\n{report}")
    if options.report:
        options.report.write_text(json.dumps(report.as_dict(), indent=2) + "\n", encoding="utf-8")
    return 0
