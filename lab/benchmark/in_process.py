"""Recognisers in this process: the bare session, funasr_onnx and sherpa-onnx."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asr_contract import SAMPLE_RATE
from lab.benchmark.bare_session import BareSession
from lab.benchmark.installed_models import prepared
from lab.benchmark.sherpa_models import prepare_offline
from lab.benchmark.workload import Recording

Recognise = Callable[[Recording], object]
Transcribe = Callable[[Recording], str]

_TAGS = re.compile(r"<\|[^|]*\|>")


def bare(graph: Path, model_dir: Path, threads: int) -> Recognise:
    """The front end and the session on the prepared graph, the one the server runs: the limit."""
    return BareSession(graph, model_dir, threads)


def funasr_onnx(kind: str, model_dir: Path, threads: int, itn: bool = True) -> Transcribe:
    """FunASR's ONNX runtime on the exported file, without dither.

    Args:
        kind: "paraformer" or "sensevoice".
        model_dir: the exported model, laid out as the hubs do.
        threads: of its session.
        itn: whether SenseVoice writes figures and marks.
    """
    import funasr_onnx

    name = {"paraformer": "Paraformer", "sensevoice": "SenseVoiceSmall"}[kind]
    recogniser: Any = getattr(funasr_onnx, name)(
        str(model_dir), batch_size=1, intra_op_num_threads=threads
    )
    recogniser.frontend.opts.frame_opts.dither = 0.0
    if kind == "paraformer":
        return lambda recording: str(recogniser(recording)[0]["preds"])
    textnorm = "withitn" if itn else "woitn"

    def transcribe(recording: Recording) -> str:
        (text,) = recogniser(recording, language="auto", textnorm=textnorm)
        return _TAGS.sub("", text)

    return transcribe


def sherpa_onnx(kind: str, source: Path, work: Path, threads: int, itn: bool = True) -> Transcribe:
    """sherpa-onnx's Python interface on the exported file.

    Args:
        kind: "paraformer" or "sensevoice".
        source: the exported model, laid out as the hubs do.
        work: keeps what sherpa-onnx needs of it.
        threads: of its session.
        itn: whether SenseVoice writes figures and marks.
    """
    from sherpa_onnx import OfflineRecognizer

    folder = sherpa_folder(kind, source, work)
    common = {"tokens": str(folder / "tokens.txt"), "num_threads": threads}
    model = str(folder / "model.onnx")
    recogniser: Any
    if kind == "paraformer":
        recogniser = OfflineRecognizer.from_paraformer(paraformer=model, **common)
    else:
        recogniser = OfflineRecognizer.from_sense_voice(model=model, use_itn=itn, **common)

    def transcribe(recording: Recording) -> str:
        stream = recogniser.create_stream()
        stream.accept_waveform(SAMPLE_RATE, recording)
        recogniser.decode_stream(stream)
        return str(stream.result.text)

    return transcribe


def sherpa_folder(kind: str, source: Path, work: Path) -> Path:
    """What sherpa-onnx needs of an exported model, as an earlier run left it or made now."""
    return prepared(
        work, f"sherpa-{kind}", source, lambda target: prepare_offline(kind, source, target)
    )
