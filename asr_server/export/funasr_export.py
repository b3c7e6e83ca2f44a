"""ONNX from FunASR's export forms, by FunASR's own settings."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import torch

OPSET = 14  # FunASR's own default


def export_onnx(model: Any, path: Path) -> None:
    """Trace the export form into `path`.

    Source: FunASR `funasr/utils/export_utils.py`, `_onnx`. `dynamo=False` because the scripted CIF
    needs the exporter that FunASR was written for.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            model.export_dummy_inputs(),
            str(path),
            opset_version=OPSET,
            do_constant_folding=True,
            input_names=model.export_input_names(),
            output_names=model.export_output_names(),
            dynamic_axes=model.export_dynamic_axes(),
            dynamo=False,
        )


def quantize_like_funasr(source: Path, target: Path) -> None:
    """Write dynamic int8 by FunASR's recipe: MatMul only, per channel, output layers left out.

    Source: FunASR `funasr/utils/export_utils.py`, `_onnx`.
    """
    import onnx

    from asr_server.graphs.int8 import quantize_file

    names = [node.name for node in onnx.load(source, load_external_data=False).graph.node]
    kept = [n for n in names if "output" in n or "bias_encoder" in n or "bias_decoder" in n]
    quantize_file(source, target, kept, signed=False)
