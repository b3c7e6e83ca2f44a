"""Compares an installed model with `funasr_onnx` on the files it was made from."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from rapidfuzz.distance import LCSseq

from scripts.model_install import installed
from scripts.model_install.errors import InstallError
from scripts.model_install.installed import Recogniser, Samples
from scripts.model_install.layout import Precision

SAMPLE_RATE = 16_000
# Of the tokens, in agreement with the reference in the same precision. The reference lets ONNX
# Runtime fuse the original int8 graph, the served one is fused differently, and a difference in
# the last bit before dynamic quantisation is a whole quantum behind it.
REQUIRED_SHARE: dict[Precision, float] = {"fp32": 1.0, "int8": 0.95}

_MIN_LAST_PIECE = 960  # samples: the streaming reference drops a shorter last piece
_PIECE = 9600
# A tag, a run of letters and digits, or a single character of anything else.
_TOKEN = re.compile(r"<\|.*?\|>|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|\S")


@dataclass(frozen=True)
class Agreement:
    """How far two recognisers agree.

    Attributes:
        recordings: how many were compared.
        equal_texts: recordings with the same text to the letter.
        tokens: characters of Chinese, Japanese and Korean, words of other scripts, and tags in the
            reference's texts.
        equal_tokens: those of them that the installed model gives too, in the same order.
    """

    recordings: int
    equal_texts: int
    tokens: int
    equal_tokens: int

    @property
    def share(self) -> float:
        """Share of equal tokens."""
        return self.equal_tokens / self.tokens

    def __str__(self) -> str:
        return (
            f"{self.equal_tokens} of {self.tokens} tokens ({self.share:.2%}), "
            f"{self.equal_texts} of {self.recordings} texts equal"
        )


def _reference_paraformer(files: Path, quantized: bool) -> Recogniser:
    from scripts.model_install.funasr_reference import ParaformerReference

    reference = ParaformerReference(files, quantized=quantized)
    return lambda samples: reference.text_and_times(samples)[0]


def _reference_sensevoice(files: Path, quantized: bool) -> Recogniser:
    from scripts.model_install.funasr_reference import SenseVoiceReference

    reference = SenseVoiceReference(files, quantized=quantized)
    return lambda samples: reference.text(samples, "auto", "withitn")


def _reference_paraformer_online(files: Path, quantized: bool) -> Recogniser:
    from scripts.model_install.funasr_reference import StreamingReference

    return StreamingReference(files, quantized=quantized).text


_Loaders = tuple[Callable[[Path], Recogniser], Callable[[Path, bool], Recogniser]]
LOADERS: dict[str, _Loaders] = {
    "paraformer": (installed.load_paraformer, _reference_paraformer),
    "sensevoice": (installed.load_sensevoice, _reference_sensevoice),
    "paraformer-online": (installed.load_paraformer_online, _reference_paraformer_online),
}


def can_compare(kind: str) -> bool:
    """Tell whether `funasr_onnx` is installed and this kind has a comparison."""
    return kind in LOADERS and importlib.util.find_spec("funasr_onnx") is not None


def compare(
    kind: str, repository: Path, files: Path, precision: Precision, recordings: Sequence[Samples]
) -> Agreement:
    """Recognise recordings with an installed model and with `funasr_onnx`.

    Args:
        kind: of the model.
        repository: where it is installed.
        files: what it was made from, in the layout that `funasr_onnx` reads.
        precision: of the graphs in `files`.
        recordings: 16 kHz.

    Raises:
        InstallError: the reference recognises nothing, so that nothing can be compared.
    """
    load_installed, load_reference = LOADERS[kind]
    recognise = load_installed(repository)
    pieces = [fit_pieces(samples) for samples in recordings]
    texts = [recognise(samples) for samples in pieces]
    del recognise  # two full-size models at a time would need twice the memory
    refer = load_reference(files, precision == "int8")
    return count_agreement([refer(samples) for samples in pieces], texts)


def count_agreement(expected: Sequence[str], texts: Sequence[str]) -> Agreement:
    """Count equal tokens and texts.

    Raises:
        InstallError: there is no token at all.
    """
    tokens = [_TOKEN.findall(text) for text in expected]
    total = sum(map(len, tokens))
    if total == 0:
        raise InstallError(
            "funasr_onnx recognises nothing in the sample recordings, so that nothing can be "
            "compared: give recordings that suit the model with --wav"
        )
    pairs = list(zip(expected, texts, strict=True))
    return Agreement(
        recordings=len(pairs),
        equal_texts=sum(one == other for one, other in pairs),
        tokens=total,
        equal_tokens=sum(
            int(LCSseq.similarity(wanted, _TOKEN.findall(text)))
            for wanted, text in zip(tokens, texts, strict=True)
        ),
    )


def check(agreement: Agreement, precision: Precision) -> None:
    """Refuse a model that does not agree enough.

    Raises:
        InstallError: fewer tokens are equal than the precision must give.
    """
    required = REQUIRED_SHARE[precision]
    texts_differ = precision == "fp32" and agreement.equal_texts < agreement.recordings
    if agreement.share < required or texts_differ:
        raise InstallError(
            f"the prepared model does not say what funasr_onnx says on the same files: {agreement};"
            f" expected {required:.0%} of the tokens in {precision}"
        )


def fit_pieces(samples: Samples) -> Samples:
    """Cut off an end that the streaming reference would drop."""
    last = (len(samples) - 1) % _PIECE + 1
    return samples if last >= _MIN_LAST_PIECE else samples[: len(samples) - last]


def read_recordings(paths: Sequence[Path]) -> list[Samples]:
    """Read 16 kHz mono files.

    Raises:
        InstallError: one is something else.
    """
    recordings = []
    for path in paths:
        try:
            samples, sample_rate = soundfile.read(path, dtype="float32")
        except (OSError, soundfile.SoundFileError) as error:
            raise InstallError(f"{path}: {error}") from error
        if sample_rate != SAMPLE_RATE or samples.ndim != 1:
            channels = samples.shape[1] if samples.ndim > 1 else 1
            raise InstallError(
                f"{path}: expected {SAMPLE_RATE} Hz, one channel; got {sample_rate} Hz, "
                f"{channels} channels"
            )
        recordings.append(np.asarray(samples, np.float32))
    return recordings
