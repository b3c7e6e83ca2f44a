"""Compares an installed model with `funasr_onnx` on the files it was made from."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import comb
from pathlib import Path

from rapidfuzz.distance import LCSseq

from asr_core.features import Waveform
from asr_server.errors import InstallError
from asr_server.install import installed
from asr_server.install.installed import (
    PIECE_SAMPLES,
    SHORTEST_LAST_PIECE,
    Answers,
    Material,
    Recogniser,
    full_width,
)
from asr_server.models import ExportedPrecision

# Of the tokens, in agreement with the reference. Below float32 a rounding decides where two tokens
# are close, which in random weights most are: that the graph is the original's, rounded, is shown
# by its weights and scores (`precision`), and agreement shows that front end and scoring fit.
REQUIRED_SHARE = {"fp32": 1.0, "fp16": 0.8, "int8": 0.6}
_CHANCE = 1e-4  # of refusing a model whose tokens agree with just the required probability

ReferenceAnswers = Callable[[Material], Sequence[str | None]]

# A tag, a run of letters and digits, or a single character of anything else.
_TOKEN = re.compile(r"<\|.*?\|>|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|\S")


@dataclass(frozen=True)
class Agreement:
    """How far two recognisers agree.

    Attributes:
        recordings: how many were compared.
        equal_texts: recordings with the same text to the letter.
        tokens: characters of Chinese, Japanese and Korean, words of other scripts, marks and tags
            in the reference's texts; for a VAD the times of its segments.
        equal_tokens: those of them that the installed model gives too, in the same order.
        failed: further recordings, on which the reference fails.
    """

    recordings: int
    equal_texts: int
    tokens: int
    equal_tokens: int
    failed: int = 0

    @property
    def share(self) -> float:
        """Share of equal tokens."""
        return self.equal_tokens / self.tokens

    def __str__(self) -> str:
        return (
            f"{self.equal_tokens} of {self.tokens} tokens ({self.share:.2%}), "
            f"{self.equal_texts} of {self.recordings} texts equal"
            + (f", funasr_onnx fails on {self.failed} more" if self.failed else "")
        )


def _where_it_can(recognise: Recogniser) -> ReferenceAnswers:
    """Return what answers each recording by itself, None where it fails.

    `funasr_onnx` raises on some recordings in which no token fires.
    """

    def answer(samples: Waveform) -> str | None:
        try:
            return recognise(samples)
        except Exception:  # ONNX Runtime's exceptions have no common base but this
            return None

    return lambda material: [answer(samples) for samples in material.recordings]


def _reference_paraformer(files: Path, quantized: bool) -> ReferenceAnswers:
    from asr_server.install.funasr_reference import ParaformerReference

    reference = ParaformerReference(files, quantized=quantized)
    hotwords = installed.sample_hotwords(files) if reference.takes_hotwords else ""
    return _where_it_can(lambda samples: reference.text_and_times(samples, hotwords)[0])


def _reference_sensevoice(files: Path, quantized: bool) -> ReferenceAnswers:
    from asr_server.install.funasr_reference import SenseVoiceReference

    reference = SenseVoiceReference(files, quantized=quantized)
    return _where_it_can(lambda samples: reference.text(samples, "auto", "withitn"))


def _reference_paraformer_online(files: Path, quantized: bool) -> ReferenceAnswers:
    from asr_server.install.funasr_reference import StreamingReference

    return _where_it_can(StreamingReference(files, quantized=quantized).text)


def _reference_vad(files: Path, quantized: bool) -> ReferenceAnswers:
    from asr_server.install.funasr_vad_reference import VadReference

    reference = VadReference(files, quantized=quantized)
    return lambda material: [
        installed.write_segments(reference.segments(material.joined), material.joined)
    ]


def _reference_punctuation(files: Path, quantized: bool) -> ReferenceAnswers:
    from asr_server.install.funasr_punctuation_reference import PunctuationReference

    reference = PunctuationReference(files, quantized=quantized)
    return lambda material: [full_width(reference.punctuate(text)[0]) for text in material.texts]


def _reference_punctuation_online(files: Path, quantized: bool) -> ReferenceAnswers:
    from asr_server.install.funasr_punctuation_reference import PunctuationOnlineReference

    reference = PunctuationOnlineReference(files, quantized=quantized)
    return lambda material: [full_width(reference.punctuate(text)[0]) for text in material.texts]


_Loaders = tuple[Callable[[Path], Answers], Callable[[Path, bool], ReferenceAnswers]]
LOADERS: dict[str, _Loaders] = {
    "paraformer": (installed.load_paraformer, _reference_paraformer),
    "sensevoice": (installed.load_sensevoice, _reference_sensevoice),
    "paraformer-online": (installed.load_paraformer_online, _reference_paraformer_online),
    "vad": (installed.load_vad_segments, _reference_vad),
    "punctuation": (installed.load_punctuation_marks, _reference_punctuation),
    "punctuation-online": (installed.load_online_marks, _reference_punctuation_online),
}


def can_compare(kind: str) -> bool:
    """Tell whether `funasr_onnx` is installed and this kind has a comparison."""
    return kind in LOADERS and importlib.util.find_spec("funasr_onnx") is not None


def compare(
    kind: str, repository: Path, files: Path, precision: ExportedPrecision, material: Material
) -> Agreement:
    """Give the same material to an installed model and to `funasr_onnx`.

    Args:
        kind: of the model.
        repository: where it is installed.
        files: what it was made from, in the layout that `funasr_onnx` reads.
        precision: of the graphs in `files`.
        material: to recognise, or to punctuate.

    Raises:
        InstallError: the reference recognises nothing, so that nothing can be compared.
    """
    load_installed, load_reference = LOADERS[kind]
    if kind == "paraformer-online":
        material = replace(material, recordings=_fit_all(material.recordings))
    answers = load_installed(repository)(material)
    # Only now: two full-size models at a time would need twice the memory.
    try:
        expected = load_reference(files, precision == "int8")(material)
    except Exception as error:  # funasr_onnx raises whatever comes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InstallError(f"funasr_onnx cannot be compared with, it fails: {reason}") from error
    both = [pair for pair in zip(expected, answers, strict=True) if pair[0] is not None]
    found = count_agreement([one for one, _ in both if one is not None], [a for _, a in both])
    return replace(found, failed=len(expected) - len(both))


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


def check(agreement: Agreement, precision: str) -> None:
    """Refuse a model that does not agree enough.

    Raises:
        InstallError: fewer tokens are equal than the precision must give.
    """
    required = required_tokens(agreement.tokens, precision)
    texts_differ = precision == "fp32" and agreement.equal_texts < agreement.recordings
    if agreement.equal_tokens < required or texts_differ:
        raise InstallError(
            f"the prepared model does not say what funasr_onnx says on the same files: {agreement};"
            f" expected {required} in {precision}"
        )


def required_tokens(tokens: int, precision: str) -> int:
    """Return how many tokens must be equal: fewer of few, by the binomial distribution."""
    share = REQUIRED_SHARE[precision]
    if share == 1.0:
        return tokens
    chance = 0.0  # of `count` equal tokens or fewer
    for count in range(tokens + 1):
        chance += comb(tokens, count) * share**count * (1 - share) ** (tokens - count)
        if chance > _CHANCE:
            return count
    return tokens


def _fit_all(recordings: Sequence[Waveform]) -> list[Waveform]:
    """Fit recordings to the streaming reference; those shorter than a piece's least are left out.

    Raises:
        InstallError: all are.
    """
    fitting = [samples for one in recordings if len(samples := fit_pieces(one))]
    if not fitting:
        raise InstallError(
            f"recordings: expected one of {SHORTEST_LAST_PIECE} samples or more for a stream"
        )
    return fitting


def fit_pieces(samples: Waveform) -> Waveform:
    """Cut off an end that the streaming reference would drop."""
    last = (len(samples) - 1) % PIECE_SAMPLES + 1
    return samples if last >= SHORTEST_LAST_PIECE else samples[: len(samples) - last]


def read_texts(path: Path) -> list[str]:
    """Read the transcripts of the samples, and all Chinese ones again as one long text."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    chinese = [text for _, language, text in rows if language == "zh"]
    return [*(text for _, _, text in rows), "".join(chinese)]
