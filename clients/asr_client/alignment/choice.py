"""Which model places the words of a text: SenseVoice, or FunASR's `fa-zh` where it fits."""

from __future__ import annotations

import re
from collections.abc import Sequence

from asr_contract import UNSPACED

# "auto" is `fa-zh` for Chinese where the server has it, with SenseVoice's help where it has that.
ALIGNMENT_MODELS = ("auto", "sensevoice", "fa-zh")

_KANA = re.compile(r"[\u3040-\u30ff\u31f0-\u31ff]")
_HAN = re.compile(f"[{UNSPACED}]")


def is_chinese(words: Sequence[str], language: str) -> bool:
    """Tell whether `fa-zh` is made for a text: Mandarin, with some English in it.

    Args:
        words: of the text; a Chinese character is one.
        language: of the audio, a word of `LANGUAGE_IDS`. With "auto" the script decides.
    """
    if language not in ("zh", "auto") or any(_KANA.match(word) for word in words):
        return False
    return 2 * sum(bool(_HAN.match(word)) for word in words) >= len(words)
