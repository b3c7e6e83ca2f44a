"""Error rates of the embedded models: our server and its peers on the same held-out recordings.

The weights are the same, so what differs is what the runtimes around them do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr_client import Client, count_errors
from asr_contract import SAMPLE_RATE, ErrorCount
from asr_server.models import ModelKind
from lab.benchmark import in_process
from lab.benchmark.held_out import HeldOut
from lab.benchmark.installed_models import installed
from lab.benchmark.offline_peers import FUNASR, SHERPA
from lab.benchmark.running_server import running_server

ACCURACY_PEERS = (FUNASR, SHERPA)
THREADS = 1
_MANDARIN_ONLY = "paraformer"


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
    with (
        running_server([installed(kind, source, work)], work) as server,
        Client(f"grpc://{server.grpc_url}") as client,
    ):
        contestants: dict[str, in_process.Transcribe] = {
            "server": lambda samples: (
                client.transcribe(samples, model=kind.name, sample_rate=SAMPLE_RATE, itn=False).text
            ),
        }
        if FUNASR in peers:
            contestants[FUNASR] = in_process.funasr_onnx(kind.name, source, THREADS, itn=False)
        if SHERPA in peers:
            contestants[SHERPA] = in_process.sherpa_onnx(
                kind.name, source, work, THREADS, itn=False
            )
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
