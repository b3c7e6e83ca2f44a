"""A small held-out set watched during training; never the final test set."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr_core.features import KaldiNativeFbank

from .heldout import held_out_utterances
from .nonspeech import nonspeech_clip

DEV_SEED = 1
DEV_UTTERANCES = 120
DEV_NONSPEECH = 60
JOINED_UTTERANCES = 6

Fbanks = list[npt.NDArray[np.float32]]


@dataclass
class DevSet:
    """Filter banks of noisy utterances, of joins of six, and of non-speech, with texts."""

    noisy: Fbanks = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    joined: Fbanks = field(default_factory=list)
    joined_texts: list[str] = field(default_factory=list)
    nonspeech: Fbanks = field(default_factory=list)


def load_dev_set(directory: Path, language: str) -> DevSet:
    """The dev set of `language`, made once and then kept in `directory`."""
    path = directory / f"{language}.pickle"
    if path.exists():
        with path.open("rb") as file:
            loaded: DevSet = pickle.load(file)
            return loaded
    fbank, dev = KaldiNativeFbank(), DevSet()
    waveforms = []
    for utterance in held_out_utterances(language, DEV_UTTERANCES, DEV_SEED):
        waveforms.append(utterance.noisy)
        dev.noisy.append(fbank(utterance.noisy))
        dev.texts.append(utterance.spoken)
        dev.written.append(utterance.written)
    for first in range(0, DEV_UTTERANCES // 2, JOINED_UTTERANCES):
        part = slice(first, first + JOINED_UTTERANCES)
        dev.joined.append(fbank(np.concatenate(waveforms[part])))
        dev.joined_texts.append(" ".join(dev.texts[part]))
    rng = np.random.default_rng(DEV_SEED)
    dev.nonspeech = [fbank(nonspeech_clip(rng)) for _ in range(DEV_NONSPEECH)]
    directory.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        pickle.dump(dev, file)
    return dev
