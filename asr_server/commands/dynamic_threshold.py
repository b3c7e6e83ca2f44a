"""Copies FunASR's export of an offline Paraformer, with a CIF threshold of each recording's own.

    triton-asr-server dynamic-threshold paraformer-export paraformer-scaled
    triton-asr-server install paraformer --from paraformer-scaled

As many tokens fire as the rounded sum of the weights. FunASR's own threshold is always 1.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from asr_contract.command_parser import CommandParser
from asr_server.commands.output import report_error, report_line
from asr_server.extras import require

_GRAPHS = ("model.onnx", "model_quant.onnx")


def main(arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Write the copy; return 0, or 1 where the export is refused."""
    parser = CommandParser(
        prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="directory with FunASR's model.onnx")
    parser.add_argument("target", type=Path, help="directory to write; it may not exist")
    options = parser.parse_args(arguments)
    try:
        require("server")
        written = copy_with_dynamic_threshold(options.source, options.target)
    except Exception as error:  # a graph is somebody's file: a refusal, never a traceback
        return report_error(parser, error)
    report_line(f"{options.target}: {', '.join(written)} with a dynamic threshold")
    return 0


def copy_with_dynamic_threshold(source: Path, target: Path) -> list[str]:
    """Copy an export, its graphs changed, and return their names.

    Raises:
        PrepareError: a graph is no offline Paraformer's.
        FileExistsError, FileNotFoundError: the target is there, or no graph is in the source.
        OSError: a file cannot be read or written.
    """
    import onnx

    from asr_server.graphs import PrepareError
    from asr_server.graphs.dynamic_threshold import use_dynamic_threshold
    from asr_server.graphs.external_data import external_files, load_model
    from asr_server.graphs.graph import Graph

    graphs = [name for name in _GRAPHS if (source / name).is_file()]
    if not graphs:
        raise FileNotFoundError(f"{source}: expected {' or '.join(_GRAPHS)}")
    if target.exists():
        raise FileExistsError(f"{target}: is there already; name a directory that is not")
    data = {name for graph in graphs for name in external_files(source / graph)}
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns(*graphs, *data))
        for name in graphs:
            model = load_model(source / name)
            try:
                use_dynamic_threshold(Graph(model))
            except PrepareError as error:
                raise PrepareError(f"{source / name}: {error}") from error
            onnx.save(model, str(copy / name))
        copy.rename(target)
    return graphs
