"""Recognisers in this process: the bare session, funasr_onnx and sherpa-onnx."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from asr_core.fbank import SAMPLE_RATE
from scripts.benchmark.bare_session import BareSession
from scripts.benchmark.workload import Recording

Recognise = Callable[[Recording], object]


def bare(graph: Path, model_dir: Path, threads: int) -> Recognise:
    """The front end and the session on the prepared graph, the one the server runs: the limit."""
    return BareSession(graph, model_dir, threads)


def funasr_onnx(kind: str, model_dir: Path, threads: int) -> Recognise:
    """FunASR's ONNX runtime on the exported file.

    Args:
        kind: "paraformer" or "sensevoice".
        model_dir: the exported model, laid out as the hubs do.
        threads: of its session.
    """
    import funasr_onnx

    name = {"paraformer": "Paraformer", "sensevoice": "SenseVoiceSmall"}[kind]
    recogniser: Any = getattr(funasr_onnx, name)(
        str(model_dir), batch_size=1, intra_op_num_threads=threads
    )
    if kind == "paraformer":
        return lambda recording: recogniser(recording)
    return lambda recording: recogniser(recording, language="auto", textnorm="withitn")


def sherpa_onnx(kind: str, folder: Path, threads: int) -> Recognise:
    """sherpa-onnx's Python interface on a folder of `sherpa_models.prepare_offline`."""
    from sherpa_onnx import OfflineRecognizer

    common = {"tokens": str(folder / "tokens.txt"), "num_threads": threads}
    model = str(folder / "model.onnx")
    recogniser: Any
    if kind == "paraformer":
        recogniser = OfflineRecognizer.from_paraformer(paraformer=model, **common)
    else:
        recogniser = OfflineRecognizer.from_sense_voice(model=model, use_itn=True, **common)

    def recognise(recording: Recording) -> object:
        stream = recogniser.create_stream()
        stream.accept_waveform(SAMPLE_RATE, recording)
        recogniser.decode_stream(stream)
        return stream.result.text

    return recognise
