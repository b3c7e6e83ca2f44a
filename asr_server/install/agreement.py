"""Compares an installed model with `funasr_onnx` on the files it was made from."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
    full_width,
    one_by_one,
)
from asr_server.models import ExportedPrecision

# Of the tokens, in agreement with the reference in the same precision. The reference lets ONNX
# Runtime fuse the original int8 graph, the served one is fused differently, and a difference in
# the last bit before dynamic quantisation is a whole quantum behind it.
REQUIRED_SHARE = {"fp32": 1.0, "fp16": 0.98, "int8": 0.95}

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


def _reference_paraformer(files: Path, quantized: bool) -> Answers:
    from asr_server.install.funasr_reference import ParaformerReference

    reference = ParaformerReference(files, quantized=quantized)
    hotwords = installed.sample_hotwords(files) if reference.takes_hotwords else ""
    return one_by_one(lambda samples: reference.text_and_times(samples, hotwords)[0])


def _reference_sensevoice(files: Path, quantized: bool) -> Answers:
    from asr_server.install.funasr_reference import SenseVoiceReference

    reference = SenseVoiceReference(files, quantized=quantized)
    return one_by_one(lambda samples: reference.text(samples, "auto", "withitn"))


def _reference_paraformer_online(files: Path, quantized: bool) -> Answers:
    from asr_server.install.funasr_reference import StreamingReference

    return one_by_one(StreamingReference(files, quantized=quantized).text)


def _reference_vad(files: Path, quantized: bool) -> Answers:
    from asr_server.install.funasr_vad_reference import VadReference

    reference = VadReference(files, quantized=quantized)
    return lambda material: [installed.write_segments(reference.segments(material.joined))]


def _reference_punctuation(files: Path, quantized: bool) -> Answers:
    from asr_server.install.funasr_punctuation_reference import PunctuationReference

    reference = PunctuationReference(files, quantized=quantized)
    return lambda material: [full_width(reference.punctuate(text)[0]) for text in material.texts]


def _reference_punctuation_online(files: Path, quantized: bool) -> Answers:
    from asr_server.install.funasr_punctuation_reference import PunctuationOnlineReference

    reference = PunctuationOnlineReference(files, quantized=quantized)
    return lambda material: [full_width(reference.punctuate(text)[0]) for text in material.texts]


_Loaders = tuple[Callable[[Path], Answers], Callable[[Path, bool], Answers]]
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
    fitting = replace(material, recordings=[fit_pieces(one) for one in material.recordings])
    answers = load_installed(repository)(fitting)
    # Only now: two full-size models at a time would need twice the memory.
    return count_agreement(load_reference(files, precision == "int8")(fitting), answers)


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
    required = REQUIRED_SHARE[precision]
    texts_differ = precision == "fp32" and agreement.equal_texts < agreement.recordings
    if agreement.share < required or texts_differ:
        raise InstallError(
            f"the prepared model does not say what funasr_onnx says on the same files: {agreement};"
            f" expected {required:.0%} of the tokens in {precision}"
        )


def fit_pieces(samples: Waveform) -> Waveform:
    """Cut off an end that the streaming reference would drop."""
    last = (len(samples) - 1) % PIECE_SAMPLES + 1
    return samples if last >= SHORTEST_LAST_PIECE else samples[: len(samples) - last]


def read_texts(path: Path) -> list[str]:
    """Read the transcripts of the samples, and all Chinese ones again as one long text."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    chinese = [text for _, language, text in rows if language == "zh"]
    return [*(text for _, _, text in rows), "".join(chinese)]
