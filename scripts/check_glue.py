"""Checks which way the imports of `model.py` and of `backends/` point.

They are no packages, so import-linter does not see them; its contracts are in `.importlinter`.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Beside Python's own modules.
_MODELS_MAY_USE = frozenset(
    {"asr_contract", "asr_core", "asr_triton", "numpy", "triton_python_backend_utils"}
)
_BACKEND_MAY_USE = frozenset({"numpy", "onnx", "onnxruntime", "triton_python_backend_utils"})


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the top-level name of each import of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), path.name)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, (node.module or "").partition(".")[0] if not node.level else "."


def wrong_imports(path: Path, allowed: frozenset[str]) -> list[str]:
    """Return a line for each import of a file that is neither allowed nor Python's own."""
    return [
        f"{path}:{line}: imports {name or '.'}; expected one of {', '.join(sorted(allowed))}"
        for line, name in imported(path)
        if name not in allowed and name not in sys.stdlib_module_names
    ]


def check(root: Path) -> list[str]:
    """Return what is wrong with the `model.py` files and backends below a folder."""
    problems = []
    for path in sorted(root.glob("model_repo_*/*/*/model.py")):
        problems += wrong_imports(path, _MODELS_MAY_USE)
    for backend in sorted(path for path in root.glob("backends/*") if path.is_dir()):
        files = {path.stem: path for path in sorted(backend.glob("*.py"))}
        for path in files.values():
            problems += wrong_imports(path, _BACKEND_MAY_USE | files.keys())
        uses = {
            name: {other for _, other in imported(path)} & files.keys()
            for name, path in files.items()
        }
        try:
            TopologicalSorter(uses).prepare()
        except CycleError as error:
            problems.append(f"{backend}: a circle of imports: {' <- '.join(error.args[1])}")
    return problems


def main() -> int:
    """Print what is wrong; return the exit status."""
    argparse.ArgumentParser(description="Check imports of model.py and backends/.").parse_args()
    problems = check(ROOT)
    print("\n".join(problems) or "model.py and backends/: imports point the right way")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
