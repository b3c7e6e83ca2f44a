"""Writes sensevoice_alignment.json: token times by FunASR's own forced alignment.

    python tests/golden/make_sensevoice_alignment.py      (needs the `export` extra)

Random CTC outputs of several lengths; the tokens of the best path are aligned as
`funasr/models/sense_voice/model.py` does when asked for timestamps.
"""

import json
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from funasr.models.sense_voice.utils.ctc_alignment import ctc_forced_align

VOCABULARY = 40
BLANK_BONUS = 2.0  # makes blank win about as often as in speech
STICKINESS = 0.55  # share of frames that repeat the previous one


def random_logits(num_frames: int, seed: int) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.standard_normal((num_frames, VOCABULARY))
    logits[:, 0] += BLANK_BONUS
    for frame in range(1, num_frames):
        if rng.random() < STICKINESS:
            logits[frame] = logits[frame - 1] + 0.1 * rng.standard_normal(VOCABULARY)
    return torch.tensor(logits, dtype=torch.float32)


def align(log_probs: torch.Tensor, tokens: list[int]) -> list[list[int]]:
    num_frames = len(log_probs)
    suppressed = log_probs.clone()
    suppressed[log_probs.argmax(-1) == 0, 0] = 0
    path = ctc_forced_align(
        suppressed[None],
        torch.tensor([tokens]),
        torch.tensor(num_frames),
        torch.tensor([len(tokens)]),
    )
    spans, start = [], 0
    for token, frames in groupby(path[0].tolist()):
        end = start + len(list(frames))
        if token != 0:
            left, right = max(start * 60 - 30, 0), min(end * 60 - 30, num_frames * 60 - 30)
            spans.append([token, left, right])
        start = end
    return spans


def main() -> None:
    cases = []
    for seed, num_frames in enumerate([1, 2, 5, 17, 40, 83, 120, 166]):
        log_probs = random_logits(num_frames, seed).log_softmax(-1)
        best = log_probs.argmax(-1).tolist()
        tokens = [token for token, _ in groupby(best) if token != 0]
        if tokens:
            cases.append({"best_ids": best, "spans": align(log_probs, tokens)})
    target = Path(__file__).with_name("sensevoice_alignment.json")
    target.write_text(json.dumps(cases) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
