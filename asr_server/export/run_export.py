"""The process that exports a checkpoint; started by `asr_server.export.checkpoint`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from funasr import AutoModel
from funasr.models.monotonic_aligner.model import MonotonicAligner

from asr_server.export.aligner_export import AlignerForm
from asr_server.export.funasr_export import export_onnx, quantize_like_funasr
from asr_server.export.speaker_export import load_speaker_form
from asr_server.models import KINDS

MAX_FRAMES = 512  # size of the dummy input's mask; the exported graph takes any length


def main() -> None:
    """Export argv[1] into argv[2] in the precision argv[3], from the checkpoint argv[4] in it."""
    source, target, precision = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    checkpoint = sys.argv[4]
    is_speaker = checkpoint == KINDS["speaker"].checkpoint
    forms = load_speaker_form(source, checkpoint) if is_speaker else funasr_forms(source)
    for form in forms if isinstance(forms, (list, tuple)) else (forms,):
        form.eval()
        name = form.export_name if isinstance(form.export_name, str) else form.export_name()
        graph = target / f"{name.removesuffix('.onnx')}.onnx"
        export_onnx(form, graph)
        if isinstance(form, AlignerForm):
            form.check(graph)
        if precision == "int8":
            quantize_like_funasr(graph, graph.with_name(f"{graph.stem}_quant.onnx"))
            graph.unlink()


def funasr_forms(source: Path) -> Any:
    """Return the forms of a model of FunASR's that are exported: one, or several."""
    auto = AutoModel(model=str(source.resolve()), device="cpu", disable_update=True)
    settings = {key: value for key, value in auto.kwargs.items() if key != "model"}
    settings |= {"type": "onnx", "device": "cpu", "max_seq_len": MAX_FRAMES}
    auto.model.eval()
    if isinstance(auto.model, MonotonicAligner):
        return AlignerForm(auto.model)
    with torch.no_grad():
        return auto.model.export(**settings)


if __name__ == "__main__":
    main()
