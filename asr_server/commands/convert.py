"""Writes a prepared graph in int8 or float16, and reports what that costs.

    python -m scripts.convert_onnx prepared.onnx int8.onnx --precision int8 --wav speech.wav
    python -m scripts.convert_onnx prepared.onnx fp16.onnx --precision fp16 --wav *.wav

`scripts.install_model --precision` does the same to the model that it installs.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import get_args

from asr_server.commands.prepare import read_features
from asr_server.graphs.conversion import Precision, convert
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.int8 import DEFAULT_RECIPE, Recipe


def main(arguments: list[str] | None = None) -> int:
    """Convert the file named on the command line; return 0, or 1 where it is refused."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="in fp32, as scripts.prepare_onnx writes it")
    parser.add_argument("target", type=Path, help="the file to write")
    parser.add_argument("--precision", choices=get_args(Precision), required=True)
    parser.add_argument(
        "--recipe", choices=get_args(Recipe), default=DEFAULT_RECIPE, help="of int8"
    )
    parser.add_argument("--wav", type=Path, nargs="+", required=True, help="real speech, 16 kHz")
    parser.add_argument("--am-mvn", type=Path, help="default: am.mvn beside the source")
    parser.add_argument("--report", type=Path, help="write the report as JSON too")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        recordings = read_features(options.wav, options.am_mvn or options.source.parent / "am.mvn")
        report = convert(
            options.source,
            options.target,
            options.precision,
            recordings,
            recipe=options.recipe,
            threads=options.threads,
        )
    except (PrepareError, OSError, ValueError) as error:
        print(f"convert_onnx: {error}", file=sys.stderr)
        return 1
    print(f"{options.target}:\n{report}")
    if options.report:
        options.report.write_text(json.dumps(report.as_dict(), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
