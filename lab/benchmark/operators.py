"""Counts what a graph runs, operator by operator, after ONNX Runtime's own fusions.

    python -m lab.benchmark.operators model.onnx model.gpu.onnx

On a GPU every operator is a kernel or several, and their number decides how long a run of few rows
takes. Those in a loop count once: a batch that is one pack goes through it once.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import onnx
import onnxruntime
from onnx import GraphProto

_SHOWN = 12


def count_operators(path: Path) -> Counter[str]:
    """Return how often a graph has each operator, constants left out.

    Args:
        path: any ONNX file.
    """
    with tempfile.TemporaryDirectory(prefix="operators-") as folder:
        target = Path(folder) / "model.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(target)
        options.log_severity_level = 3
        options.add_session_config_entry(
            "session.optimized_model_external_initializers_file_name", "weights"
        )
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        graph = onnx.load(str(target), load_external_data=False).graph
    return Counter(_operators(graph))


def _operators(graph: GraphProto) -> Iterator[str]:
    for node in graph.node:
        if node.op_type != "Constant":
            yield node.op_type
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _operators(attribute.g)


def main() -> None:
    """Print the number of operators of each file named on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, nargs="+")
    for path in parser.parse_args().file:
        found = count_operators(path)
        most = ", ".join(f"{number} {name}" for name, number in found.most_common(_SHOWN))
        print(f"{path}: {found.total()} operators: {most}")


if __name__ == "__main__":
    main()
