"""Error rates of the embedded models: our server and its peers on the same held-out recordings.

The weights are the same, so what differs is what the runtimes around them do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from asr_client import Client, count_errors
from asr_client.cer import ErrorCount
from asr_core.fbank import SAMPLE_RATE
from scripts.benchmark.installed_models import installed, prepared
from scripts.benchmark.offline_peers import FUNASR, SHERPA
from scripts.benchmark.sherpa_models import prepare_offline
from scripts.benchmark.workload import Recording
from scripts.install_model import ModelKind
from scripts.triton_server import TritonServer

ACCURACY_PEERS = (FUNASR, SHERPA)
START_TIMEOUT_S = 300.0
_MANDARIN_ONLY = "paraformer"
_TAGS = re.compile(r"<\|[^|]*\|>")

Transcribe = Callable[[Recording], str]


@dataclass(frozen=True)
class HeldOut:
    """A recording, its language and what is said in it; nothing if it is no speech."""

    samples: Recording
    language: str
    text: str


@dataclass(frozen=True)
class AccuracyResult:
    """Errors of each contestant.

    Attributes:
        utterances: with speech, of which the error rates are.
        characters: in their texts.
        error_rate: by contestant and language, and of "all".
        differ: by contestant, how many texts are not the server's.
    """

    utterances: int
    characters: int
    error_rate: dict[str, dict[str, float]]
    differ: dict[str, int]


def read_held_out(folder: Path) -> list[HeldOut]:
    """Read the recordings that a `manifest.tsv` names: file, language, text."""
    lines = (folder / "manifest.tsv").read_text(encoding="utf-8").splitlines()[1:]
    recordings = []
    for name, language, text in (line.split("\t") for line in lines):
        samples, rate = soundfile.read(folder / name, dtype="float32")
        if rate != SAMPLE_RATE:
            raise ValueError(f"{folder / name}: expected {SAMPLE_RATE} Hz; got {rate}")
        recordings.append(HeldOut(samples, language, text))
    return recordings


def measure_accuracy(
    kind: ModelKind,
    source: Path,
    held_out: Sequence[HeldOut],
    peers: Sequence[str],
    work: Path,
    report: Callable[[str], None],
) -> AccuracyResult:
    """Recognise all speech with the server and its peers.

    Args:
        kind: which model.
        source: the exported model, laid out as the hubs do.
        held_out: the recordings; of Paraformer only those in Mandarin count.
        peers: of `ACCURACY_PEERS`.
        work: for installed models, which a later run finds there.
        report: gets a line for each contestant.
    """
    spoken = [
        one
        for one in held_out
        if one.text and (kind.name != _MANDARIN_ONLY or one.language == "zh")
    ]
    with TritonServer([installed(kind, source, work)], log=work / "server.log") as server:
        server.wait_ready(START_TIMEOUT_S)
        with Client(f"grpc://{server.grpc_url}") as client:
            contestants: dict[str, Transcribe] = {
                "server": lambda samples: (
                    client.transcribe(
                        samples, model=kind.name, sample_rate=SAMPLE_RATE, itn=False
                    ).text
                ),
            }
            if FUNASR in peers:
                contestants[FUNASR] = _funasr(kind.name, source)
            if SHERPA in peers:
                contestants[SHERPA] = _sherpa(kind.name, source, work)
            texts = {
                name: [transcribe(one.samples) for one in spoken]
                for name, transcribe in contestants.items()
            }
    rates = {name: _error_rates(spoken, heard) for name, heard in texts.items()}
    for name, rate in rates.items():
        report(f"{kind.name}: {name}: {rate['all']:.2%}")
    differ = {
        name: sum(
            count_errors(ours, theirs).errors > 0
            for ours, theirs in zip(texts["server"], heard, strict=True)
        )
        for name, heard in texts.items()
    }
    characters = sum(count_errors(one.text, "").reference_length for one in spoken)
    return AccuracyResult(len(spoken), characters, rates, differ)


def _error_rates(spoken: Sequence[HeldOut], heard: Sequence[str]) -> dict[str, float]:
    """Character error rates by language, and of all together."""
    counts = {"all": ErrorCount()}
    for one, text in zip(spoken, heard, strict=True):
        errors = count_errors(one.text, text)
        counts["all"] += errors
        counts[one.language] = counts.get(one.language, ErrorCount()) + errors
    return {language: count.rate for language, count in counts.items()}


def _funasr(kind: str, source: Path) -> Transcribe:
    """FunASR's ONNX runtime, without dither and without ITN."""
    import funasr_onnx

    name = {"paraformer": "Paraformer", "sensevoice": "SenseVoiceSmall"}[kind]
    recogniser: Any = getattr(funasr_onnx, name)(str(source), batch_size=1)
    recogniser.frontend.opts.frame_opts.dither = 0.0
    if kind == "paraformer":
        return lambda samples: str(recogniser(samples)[0]["preds"])
    return lambda samples: _TAGS.sub("", recogniser(samples, language="auto", textnorm="woitn")[0])


def _sherpa(kind: str, source: Path, work: Path) -> Transcribe:
    """sherpa-onnx in process, without ITN."""
    from sherpa_onnx import OfflineRecognizer

    folder = prepared(work / f"sherpa-{kind}", lambda target: prepare_offline(kind, source, target))
    tokens, model = str(folder / "tokens.txt"), str(folder / "model.onnx")
    recogniser: Any
    if kind == "paraformer":
        recogniser = OfflineRecognizer.from_paraformer(paraformer=model, tokens=tokens)
    else:
        recogniser = OfflineRecognizer.from_sense_voice(model=model, tokens=tokens, use_itn=False)

    def transcribe(samples: Recording) -> str:
        stream = recogniser.create_stream()
        stream.accept_waveform(SAMPLE_RATE, samples)
        recogniser.decode_stream(stream)
        return str(stream.result.text)

    return transcribe
