"""Exports a PyTorch checkpoint (`model.pt`, `config.yaml`) to ONNX, in a process of its own.

Only this needs torch and FunASR (the `export` extra), and only where no ONNX was published.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from asr_server.errors import InstallError
from asr_server.extras import install_line, missing_packages
from asr_server.models import ExportedPrecision
from asr_server.places import ROOT


def check_exporter(what: str) -> None:
    """Raise `InstallError` unless torch and FunASR are installed.

    Args:
        what: whose checkpoint needs them.
    """
    if missing := missing_packages("export"):
        raise InstallError(
            f"{what}: has a checkpoint but no ONNX; exporting it needs "
            f"{', '.join(missing)}: make export-env, or {install_line('export')}"
        )


def export_checkpoint(
    source: Path, checkpoint: str, target: Path, precision: ExportedPrecision
) -> None:
    """Export the model of a directory through FunASR's classes.

    Args:
        source: holds the checkpoint, `config.yaml` and the tables it needs.
        checkpoint: the file of the weights.
        target: folder that gets `model.onnx` (and `decoder.onnx`), or `*_quant.onnx` for int8.
        precision: of the graphs.

    Raises:
        InstallError: torch or FunASR is missing, or the export fails.
    """
    check_exporter(str(source))
    program = "asr_server.export.run_export"
    command = [sys.executable, "-m", program, str(source), str(target), precision, checkpoint]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        output = result.stdout + result.stderr
        with tempfile.NamedTemporaryFile(
            "w", prefix="export-", suffix=".log", delete=False, encoding="utf-8"
        ) as log:
            log.write(output)
        last = next((line for line in reversed(output.splitlines()) if line.strip()), "no output")
        raise InstallError(
            f"{source}: the export of {checkpoint} failed: {last.strip()} (all it said: {log.name})"
        )
