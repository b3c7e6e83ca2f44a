"""Measures what would be lost and gained by leaving out texts below a confidence.

    python -m lab.training.evaluate_doubt --utterances 400 --clips 1000

Clips without speech and noisy recordings of the development seed, neither of which the held-out
figures know, go to the embedded recognisers. For each threshold: the clips that keep their text,
the recordings that lose theirs, how many of those were right, and what it does to the errors.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asr_client.confidence import geometric_mean
from asr_contract import character_error_rate, doubtful_below
from asr_core.features import Waveform
from asr_core.text import join_words

from .devset import DEV_SEED
from .evaluate_nonspeech import Hearing, Words, hearings
from .heldout import held_out_utterances
from .heldout_sets import nonspeech_set

THRESHOLDS = np.arange(0.3, 0.86, 0.05)
CLIP_SEED = 301  # neither the held-out clips' nor one that training draws


@dataclass(frozen=True)
class Heard:
    """A text and its confidence, 0 to 1; an empty one has 1."""

    text: str
    confidence: float

    def kept(self, threshold: float) -> str:
        """Return the text, or nothing if it is below the threshold."""
        return self.text if self.confidence >= threshold else ""


def hear(words: Words, waveform: Waveform) -> Heard:
    """Return what a recogniser makes of a recording."""
    heard = words(waveform)
    if not heard:
        return Heard("", 1.0)
    return Heard(join_words(heard), geometric_mean([word.confidence for word in heard]) or 0.0)


def table(
    hearing: Hearing, clips: Sequence[Heard], spoken: Sequence[str], speech: Sequence[Heard]
) -> str:
    """Return a line for each threshold, in Markdown; the one in use is marked."""
    rate = character_error_rate(spoken, [heard.text for heard in speech])
    lines = [
        f"{hearing.model}: {len(clips)} clips, {len(speech)} recordings, {rate:.2%} errors",
        "| left out below | clips that keep text | recordings that lose theirs | right of these | "
        "character errors |",
        "|---|---|---|---|---|",
    ]
    for threshold in (0.0, *THRESHOLDS):
        kept = sum(heard.kept(threshold) != "" for heard in clips)
        texts = [heard.kept(threshold) for heard in speech]
        lost = [text != heard.text for text, heard in zip(texts, speech, strict=True)]
        right = sum(
            is_lost and heard.text.replace(" ", "") == said.replace(" ", "")
            for is_lost, heard, said in zip(lost, speech, spoken, strict=True)
        )
        change = character_error_rate(spoken, texts) - rate
        mark = " (in use)" if abs(threshold - doubtful_below(hearing.model)) < 1e-6 else ""
        lines.append(
            f"| {threshold:.2f}{mark} | {kept} | {sum(lost)} ({sum(lost) / len(lost):.1%}) | "
            f"{right} | {change:+.2%} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path("embedded_models"))
    parser.add_argument("--utterances", type=int, default=400, help="of each language")
    parser.add_argument("--clips", type=int, default=1000)
    arguments = parser.parse_args()
    for hearing in hearings(arguments.models).values():
        clips = [hear(hearing.words, clip) for clip in nonspeech_set(arguments.clips, CLIP_SEED)]
        spoken: list[str] = []
        speech: list[Heard] = []
        for language in hearing.languages:
            for utterance in held_out_utterances(language, arguments.utterances, DEV_SEED):
                spoken.append(utterance.spoken)
                speech.append(hear(hearing.words, utterance.noisy))
        print(table(hearing, clips, spoken, speech), flush=True)


if __name__ == "__main__":
    main()
