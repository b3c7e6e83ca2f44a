"""Which implementation of fbank computes a model's features."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from asr_core.features.asrfront_fbank import AsrfrontFbank
from asr_core.features.fbank import (
    NUM_MEL_BINS,
    FbankExtractor,
    KaldiNativeFbank,
    StreamingFbankExtractor,
)
from asr_core.features.kaldifeat_fbank import KaldifeatFbank

DEFAULT_FBANK = "asrfront"
_ON_CPU: dict[str, Callable[[int], AsrfrontFbank | KaldiNativeFbank]] = {
    "asrfront": AsrfrontFbank,
    "kaldi-native-fbank": KaldiNativeFbank,
}
_ON_GPU = "kaldifeat"


def make_fbank(
    name: str = DEFAULT_FBANK, num_mel_bins: int = NUM_MEL_BINS, device: str = "cpu"
) -> FbankExtractor:
    """Return an implementation by name: asrfront, kaldi-native-fbank or kaldifeat.

    Args:
        name: which; `kaldifeat` is for a GPU.
        num_mel_bins: number of filters.
        device: "cpu", or a torch device such as "cuda:0".

    Raises:
        ValueError: there is none of this name, or `kaldifeat` is to run on a CPU.
        ImportError: it is not installed.
    """
    if name == _ON_GPU:
        if device == "cpu":
            raise ValueError(f"fbank: expected {_one_of(_ON_CPU)} on a CPU, got {name!r}")
        return KaldifeatFbank(num_mel_bins, device)
    if name not in _ON_CPU:
        raise ValueError(f"fbank: expected {_one_of([*_ON_CPU, _ON_GPU])}, got {name!r}")
    return _ON_CPU[name](num_mel_bins)


def make_streaming_fbank(name: str = DEFAULT_FBANK) -> StreamingFbankExtractor:
    """Return an implementation for audio in pieces by name: asrfront or kaldi-native-fbank.

    It has `NUM_MEL_BINS` filters.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in _ON_CPU:
        raise ValueError(f"fbank: expected {_one_of(_ON_CPU)}, got {name!r}")
    return _ON_CPU[name](NUM_MEL_BINS)


def _one_of(names: Iterable[str]) -> str:
    return " or ".join(names)
