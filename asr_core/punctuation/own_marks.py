"""Marks that a text brings itself: where it pauses already, the model's mark is left out.

Texts come with marks from SenseVoice, from people, or from an earlier run. A gap is what stands
between two spoken words: the signs behind the one and before the other; %, + and the like are
said. A gap with a mark of its own gets none; a gap of quotes and brackets gets one at most, and
not behind an opening one:

    你好，世界。 stays      他说“好”然后走了 → 他说“好，”然后走了。 or 他说“好”，然后走了。
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from asr_core.punctuation.marks import SENTENCE_ENDS, MarkTable

_PAUSES = "，。？！、；：…—,.?!;:~～"
_QUOTES = "“”‘’\"'「」『』（）()《》〈〉【】[]{}<>"
_OPENING = "“‘「『（(《〈【[{<"
_EITHER = "\"'"  # opens or closes
_SIGNS = _PAUSES + _QUOTES + "·"
# Before a word; a point or colon that opens one belongs to it (.NET).
_LEADING = re.compile(rf"[{re.escape(_QUOTES)}，、；：,;]*")
_PAUSE = re.compile(f"[{_PAUSES}]")


def without_doubles(
    words: Sequence[str], mark_ids: Sequence[int], table: MarkTable
) -> tuple[list[int], bool]:
    """Return mark ids with those left out that would double a mark, and whether the end is marked.

    Args:
        words: of a text.
        mark_ids: the model's, one behind each word.
        table: the marks.

    Returns:
        the ids, and whether the text brings its own mark at the end.
    """
    settled = list(mark_ids)
    paused = False
    for first, last in _gaps(words):
        following = words[last + 1] if last + 1 < len(words) else ""
        signs = "".join(word[len(word.rstrip(_SIGNS)) :] for word in words[first : last + 1])
        signs += following[: _LEADING.match(following).end()]  # type: ignore[union-attr]
        paused = _PAUSE.search(signs) is not None
        marked = paused
        for index in range(first, last + 1):
            if marked or _is_sign(words[first]) or _opens(words[index]):
                settled[index] = table.none
            marked = marked or settled[index] != table.none
    return settled, paused


def ended(words: Sequence[str], mark_ids: Sequence[int], table: MarkTable) -> list[int]:
    """Return mark ids such that the text ends with a mark that ends a sentence.

    Its last mark may stand before a closing quote; a comma there becomes a full stop.
    """
    finished, own_end = without_doubles(words, mark_ids, table)
    if not words or own_end:
        return finished
    *_, (first, last) = _gaps(words)
    if _is_sign(words[first]):
        return finished
    for index in range(first, last + 1):
        if finished[index] != table.none:
            if table.marks[finished[index]] not in SENTENCE_ENDS:
                finished[index] = table.period
            return finished
    while last > first and words[last][-1] in _OPENING:
        last -= 1
    finished[last] = table.period
    return finished


def _gaps(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield (first, last): a spoken word and the words of signs alone that follow it."""
    first = 0
    for index in range(1, len(words) + 1):
        if index == len(words) or not _is_sign(words[index]):
            if index > first:
                yield first, index - 1
            first = index


def _is_sign(word: str) -> bool:
    return not word.strip(_SIGNS)


def _opens(word: str) -> bool:
    """Return whether no mark may stand behind a word, for a quote or bracket opens there."""
    return word[-1] in _OPENING or (word[-1] in _EITHER and _is_sign(word))
