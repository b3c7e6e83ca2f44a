"""Synthesises shards of the training corpus: float16 filter banks and a JSON line each.

    python -m lab.training.synthesis --language zh --first-shard 0 --shards 20

A shard is `<language>_<number>.npy` ([frames, 80] float16, utterances end to end) and
`<language>_<number>.jsonl`, one object an utterance: first frame, frames, language, spoken,
punctuated and written text, voice, and word start times in ms within the utterance.
Each shard has its own seed, so shards can be made in any order and by several processes.
"""

from __future__ import annotations

import argparse
import atexit
import json
import random
import shutil
import tempfile
import time
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asr_contract import SAMPLE_RATE
from asr_core.features import KaldiNativeFbank, Waveform

from .augmentation import augment
from .corpus import make_grammar
from .espeak import installed_data
from .invented_voices import invent_voices, link_data_folder
from .nonspeech import nonspeech_clip
from .sentence import Sentence
from .synthesiser import Synthesiser, WordTime
from .voices import Voice, draw_voice

UTTERANCES_PER_SHARD = 1000
NONSPEECH_SHARE = 0.09
LONG_SHARE = 0.12
"""Share of recordings in which one voice reads several sentences in one room."""
SHORTEST_OF = 8
"""Sentences of which a short recording has the shortest."""


NONSPEECH_RECORD: dict[str, Any] = {
    **{"language": "nospeech", "voice": "", "spoken": "", "punctuated": "", "written": ""},
    "words": [],
}
"""What a shard says of a clip without speech."""


class ShardWriter:
    """Collects the recordings of a shard; `stem` is its path without the endings."""

    def __init__(self, stem: Path) -> None:
        self._stem = stem
        self._features: list[npt.NDArray[np.float16]] = []
        self._lines: list[str] = []
        self._frames = 0

    def add(self, fbank: npt.NDArray[np.float32], record: dict[str, Any]) -> None:
        """Add a recording's filter bank [frames, 80] and what is said of it."""
        placed = {**record, "first_frame": self._frames, "frames": len(fbank)}
        self._frames += len(fbank)
        self._features.append(fbank.astype(np.float16))
        self._lines.append(json.dumps(placed, ensure_ascii=False))

    def write(self) -> float:
        """Write both files; return the hours of audio."""
        np.save(self._stem.with_suffix(".npy"), np.concatenate(self._features))
        partial = self._stem.with_suffix(".partial")
        partial.write_text("\n".join(self._lines) + "\n", encoding="utf-8")
        partial.rename(self._stem.with_suffix(".jsonl"))
        return self._frames / 360_000


def training_sentences(grammar: Any, count: int) -> list[Sentence]:
    """Draws `count` sentences none of which is reserved for the held-out sets."""
    sentences: list[Sentence] = []
    while len(sentences) < count:
        sentence = grammar.sentence()
        if not sentence.held_out():
            sentences.append(sentence)
    return sentences


def read_aloud(
    synthesiser: Synthesiser,
    sentences: list[Sentence],
    voice: Voice,
    rng: np.random.Generator,
    gap_range_s: tuple[float, float] = (0.15, 1.2),
) -> tuple[Waveform, list[WordTime]]:
    """One recording: margins of 50-600 ms around the sentences, a pause between two."""
    parts: list[Waveform] = []
    words: list[WordTime] = []
    position = 0

    def pause(low_s: float, high_s: float) -> None:
        nonlocal position
        size = int(rng.uniform(low_s, high_s) * SAMPLE_RATE)
        parts.append(np.zeros(size, np.float32))
        position += size

    pause(0.05, 0.6)
    for index, sentence in enumerate(sentences):
        if index:
            pause(*gap_range_s)
        waveform, times = synthesiser.speak(sentence, voice)
        offset_ms = position * 1000 // SAMPLE_RATE
        words += [(text, start_ms + offset_ms) for text, start_ms in times]
        parts.append(waveform)
        position += len(waveform)
    pause(0.05, 0.6)
    return np.concatenate(parts), words


@cache
def invented_voices_parent() -> Path:
    """A data folder of this process for the invented voices, gone when it ends."""
    parent = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, parent)
    link_data_folder(Path(parent), installed_data())
    return Path(parent)


def make_shard(
    language: str,
    number: int,
    directory: Path,
    utterances: int,
    nonspeech_share: float = NONSPEECH_SHARE,
    short_share: float = 0.0,
) -> float:
    """Writes one shard; returns its hours of audio.

    short_share: of the recordings with speech, those of the shortest of several sentences.
    """
    seed = zlib.crc32(f"{language} {number}".encode())
    py_rng, rng = random.Random(seed), np.random.default_rng(seed)
    grammar = make_grammar(language, py_rng)
    invent_voices(invented_voices_parent(), f"{language} {number}")
    synthesiser, extract = Synthesiser(invented_voices_parent()), KaldiNativeFbank()
    shard = ShardWriter(directory / f"{language}_{number:05d}")
    for _ in range(utterances):
        if rng.random() < nonspeech_share:
            waveform, record = nonspeech_clip(rng), dict(NONSPEECH_RECORD)
        else:
            voice = draw_voice(py_rng, language, held_out=False)
            count = py_rng.randrange(2, 8) if py_rng.random() < LONG_SHARE else 1
            sentences = training_sentences(grammar, count)
            if short_share and py_rng.random() < short_share:
                several = training_sentences(grammar, SHORTEST_OF)
                sentences = [min(several, key=lambda sentence: len(sentence.spoken()))]
            waveform, words = read_aloud(synthesiser, sentences, voice, rng)
            waveform = augment(rng, waveform)
            record = {"language": language, "voice": f"{voice.engine}:{voice.name}"}
            record["words"] = words
            join = " " if sentences[0].spaced else ""
            for form in ("spoken", "punctuated", "written"):
                record[form] = join.join(getattr(s, form)() for s in sentences)
        shard.add(extract(waveform), record)
    return shard.write()


def main() -> None:
    """Makes the missing shards of one or several languages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--language", nargs="+", default=["zh"])
    parser.add_argument("--first-shard", type=int, default=0)
    parser.add_argument("--shards", type=int, default=20)
    parser.add_argument("--step", type=int, default=1, help="2 = every other shard")
    parser.add_argument("--utterances", type=int, default=UTTERANCES_PER_SHARD)
    parser.add_argument("--nonspeech-share", type=float, default=NONSPEECH_SHARE)
    parser.add_argument("--short-share", type=float, default=0.0)
    parser.add_argument("--directory", type=Path, default=Path(".cache/embedded/shards"))
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    for number in range(arguments.first_shard, arguments.shards, arguments.step):
        for language in arguments.language:
            if (arguments.directory / f"{language}_{number:05d}.jsonl").exists():
                continue
            started = time.monotonic()
            hours = make_shard(
                language,
                number,
                arguments.directory,
                arguments.utterances,
                arguments.nonspeech_share,
                arguments.short_share,
            )
            elapsed = time.monotonic() - started
            print(f"{language} shard {number}: {hours:.2f} h in {elapsed:.0f} s", flush=True)


if __name__ == "__main__":
    main()
