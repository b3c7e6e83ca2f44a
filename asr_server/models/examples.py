"""The recordings that the published models ship in `example/`, and what is said in them.

A file is known by its place and length, so that a copy from anywhere is recognised, and another
recording of the same name is not mistaken for it.

Sources of the texts: the results in the models' cards on ModelScope and in FunASR's README
(asr_example.wav, two recordings), and SenseVoice's own demonstration of its examples.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

_LENGTHS_DIFFER_S = 0.06  # an MP3 decoder may add or leave out a frame


@dataclass(frozen=True)
class Example:
    """One recording.

    Attributes:
        kinds: of the models that can read it.
        file: its place in the model's directory.
        seconds: its length.
        text: what is said.
    """

    kinds: Collection[str]
    file: str
    seconds: float
    text: str


_PARAFORMERS = frozenset({"paraformer", "paraformer-online", "sensevoice"})
_SENSEVOICE = frozenset({"sensevoice"})

EXAMPLES = (
    Example(
        _PARAFORMERS, "example/asr_example.wav", 5.55, "欢迎大家来体验达摩院推出的语音识别模型"
    ),
    Example(
        _PARAFORMERS,
        "example/asr_example.wav",
        13.05,
        "正是因为存在绝对正义所以我们接受现实的相对正义但是不要因为现实的相对正义我们就认为这个世界没有正义"
        "因为如果当你认为这个世界没有正义",
    ),
    Example(_SENSEVOICE, "example/zh.mp3", 5.6, "开放时间早上9点至下午5点"),
    Example(
        _SENSEVOICE,
        "example/en.mp3",
        7.15,
        "The tribal chieftain called for the boy and presented him with 50 pieces of gold",
    ),
    Example(_SENSEVOICE, "example/yue.mp3", 5.15, "呢几个字都表达唔到我想讲嘅意思"),
    Example(
        _SENSEVOICE,
        "example/ja.mp3",
        7.2,
        "うちの中学は弁当制で持っていけない場合は50円の学校販売のパンを買う",
    ),
    Example(_SENSEVOICE, "example/ko.mp3", 4.6, "조금만 생각을 하면서 살면 훨씬 편할 거야"),
)


def example_files(kind: str) -> list[str]:
    """Return the places of the recordings of models of a kind, each once."""
    return list(dict.fromkeys(one.file for one in EXAMPLES if kind in one.kinds))


def example_text(kind: str, file: str, seconds: float) -> str | None:
    """Return what is said in a recording of this place and length, None where it is not known."""
    for one in EXAMPLES:
        same_length = abs(one.seconds - seconds) <= _LENGTHS_DIFFER_S
        if kind in one.kinds and one.file == file and same_length:
            return one.text
    return None
