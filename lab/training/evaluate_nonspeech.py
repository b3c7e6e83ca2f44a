"""Counts the clips without speech to which the embedded recognisers give text.

    python -m lab.training.evaluate_nonspeech --clips 1000
    python -m lab.training.evaluate_nonspeech --clips 1000 --vad

A doubtful text counts as none. So that nobody is silent by doubting everything, held-out speech
goes the same way, clean and noisy, in all languages that a model knows, and what is doubted there
is counted as well. With `--vad` they hear what the embedded VAD lets through. Needs what `evaluate`
needs, without `funasr-onnx`.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from asr_client.confidence import geometric_mean
from asr_contract import (
    PARAFORMER_MODEL,
    SAMPLE_RATE,
    SENSEVOICE_MODEL,
    STREAMING_MODEL,
    is_doubtful,
)
from asr_core.features import Waveform
from asr_core.text import DecodedWord

from .corpus import LANGUAGES
from .exported_graphs import ExportedVad
from .heldout_sets import TestUtterance, load_set, nonspeech_set
from .nonspeech import KINDS
from .recognisers import load_paraformer, load_sensevoice, load_streaming

CLIP_SEED = 7
PER_LANGUAGE = 130

Words = Callable[[Waveform], Sequence[DecodedWord]]


@dataclass(frozen=True)
class Row:
    """What one recogniser does.

    Attributes:
        clips, with_text, sure_text: without speech; those with any text; with text that is not
            doubtful.
        kinds: the clips of `sure_text` by kind.
        utterances, doubted, doubted_right: of held-out speech; the doubtful ones; those of them
            whose text is right.
    """

    clips: int
    with_text: int
    sure_text: int
    kinds: dict[str, int]
    utterances: int
    doubted: int
    doubted_right: int


def measure(model: str, words: Words, clips: int, speech: Sequence[TestUtterance]) -> Row:
    """Count for one recogniser."""
    kinds = list(KINDS)
    with_text, sure = 0, Counter[str]()
    for index, clip in enumerate(nonspeech_set(clips, CLIP_SEED)):
        heard = words(clip)
        with_text += bool(heard)
        if heard and not _is_doubted(model, heard):
            sure[kinds[index % len(kinds)]] += 1
    doubted, right, utterances = 0, 0, 0
    for utterance in speech:
        for condition in ("clean", "noisy"):
            heard = words(utterance.waveform(condition))
            utterances += 1
            if heard and _is_doubted(model, heard):
                doubted += 1
                text = "".join(word.text for word in heard)
                right += text == str(utterance.record["spoken"]).replace(" ", "")
    return Row(clips, with_text, sum(sure.values()), dict(sure), utterances, doubted, right)


def behind_vad(words: Words, vad: ExportedVad) -> Words:
    """Return a recogniser of the stretches that a VAD finds, which is how files are heard."""

    def heard(waveform: Waveform) -> list[DecodedWord]:
        spans = vad.segments([waveform])[0]
        samples = [[ms * SAMPLE_RATE // 1000 for ms in span] for span in spans]
        return [word for start, end in samples for word in words(waveform[start:end])]

    return heard


def _is_doubted(model: str, words: Sequence[DecodedWord]) -> bool:
    return is_doubtful(geometric_mean([word.confidence for word in words]), model)


@dataclass(frozen=True)
class Hearing:
    """A recogniser: the served model whose bounds of doubt hold, its words, its languages."""

    model: str
    words: Words
    languages: Sequence[str]


def hearings(models: Path) -> dict[str, Hearing]:
    """Return the embedded recognisers by the names of their folders."""
    sensevoice = load_sensevoice(models / "sensevoice")
    paraformer = load_paraformer(models / "paraformer")
    streaming = load_streaming(models / "paraformer_online")
    return {
        "sensevoice": Hearing(
            SENSEVOICE_MODEL,
            lambda clip: sensevoice([clip], "auto", "woitn")[0].words,
            LANGUAGES,
        ),
        "paraformer": Hearing(PARAFORMER_MODEL, lambda clip: paraformer([clip])[0], ("zh",)),
        "paraformer_online": Hearing(STREAMING_MODEL, streaming, ("zh",)),
    }


def held_out(hearing: Hearing, cache: Path) -> list[TestUtterance]:
    """Return the first held-out utterances of each language that a recogniser knows."""
    speech = [one for language in hearing.languages for one in load_set(cache, language)]
    return [one for one in speech if one.index < PER_LANGUAGE]


def table(rows: dict[str, Row]) -> str:
    """Return the rows in Markdown."""
    lines = [
        "| | clips with text | with text that is not doubtful | held-out utterances | doubtful | "
        "of these right |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        lines.append(
            f"| {name} | {row.with_text} of {row.clips} | {row.sure_text} | {row.utterances} | "
            f"{row.doubted} ({row.doubted / row.utterances:.1%}) | {row.doubted_right} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path("embedded_models"))
    parser.add_argument("--cache", type=Path, default=Path(".cache/heldout"))
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--vad", action="store_true", help="behind the embedded VAD")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = {}
    for name, hearing in hearings(arguments.models).items():
        speech = held_out(hearing, arguments.cache)
        words = hearing.words
        if arguments.vad:
            words = behind_vad(words, ExportedVad(arguments.models / "vad"))
        rows[name] = measure(hearing.model, words, arguments.clips, speech)
        print(name, rows[name], flush=True)
    print(table(rows))
    if arguments.json:
        report = {name: asdict(row) for name, row in rows.items()}
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
