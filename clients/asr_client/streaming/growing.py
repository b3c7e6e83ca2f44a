"""Text of speech that is still spoken, by a model that takes whole recordings.

The audio is decoded again and again while it grows. Words on which two decodings that follow each
other agree, from the beginning on, are committed: no later decoding changes them. Words of which
the model is not sure are not shown, nor what follows them: they change most.

What a longer stretch costs is bounded twice. A decoding that spans a window of W seconds waits
until W / 8 seconds more are there (0.2 s at least), so that a second of audio is decoded 8 times at
most, whatever the length. And the window is 6 seconds long at most: beyond that, committed words
and their audio are left behind, but for 2 seconds of context.

(LocalAgreement: Liu et al., "Low-Latency Sequence-to-Sequence Speech Recognition and Translation by
Partial Hypothesis Selection", 2020)
"""

from __future__ import annotations

from collections.abc import Sequence

from ..results import Word

STEP_MS = 200
DECODINGS = 8  # of a second of audio, at most
WINDOW_MS = 6_000
CONTEXT_MS = 2_000

SURE = 0.7
"""Confidence of a word that is shown. It is what keeps words from changing: of 687 that were shown
for a second, of held-out recordings, 3.5 % changed with 0.5 and 0.4 % with 0.7; 1.1 % of 751 with
0.7 and the embedded model of 0.10.0."""

# Words of the window may be told apart from committed ones by their times, give or take so many.
_SHIFT = 2


class GrowingText:
    """What is known of a stretch of speech; times in ms of it.

    Attributes:
        committed: words that no later decoding changes.
        tentative: words behind them, of the newest decoding, sure or not.
        decoded_ms: how much of the stretch that spanned.
        window_ms: where the window begins; audio before it is not needed any more.
    """

    def __init__(self) -> None:
        self.committed: list[Word] = []
        self.tentative: list[Word] = []
        self.decoded_ms = 0
        self.window_ms = 0

    @property
    def shown(self) -> list[Word]:
        """The tentative words of which the model is sure."""
        return _sure(self.tentative)

    def is_due(self, heard_ms: int) -> bool:
        """Return whether another decoding is worth its cost when so much has been heard."""
        new_ms, span_ms = heard_ms - self.decoded_ms, heard_ms - self.window_ms
        return new_ms >= STEP_MS and new_ms * DECODINGS >= span_ms

    def accept(self, words: Sequence[Word], heard_ms: int, *, is_last: bool = False) -> None:
        """Take a decoding of the window in.

        Args:
            words: of the window, in order.
            heard_ms: where the window ends.
            is_last: nothing follows; all words are committed.
        """
        behind = list(words[self._known(words) :])
        agreed = len(behind) if is_last else _agreement(self.tentative, _sure(behind))
        self.committed += behind[:agreed]
        self.tentative = behind[agreed:]
        self.decoded_ms = heard_ms
        self._move_window(heard_ms)

    def _known(self, words: Sequence[Word]) -> int:
        """Return how many words of the window are committed already.

        Their times tell, which may differ by a frame or two from decoding to decoding; where a
        neighbour is the word that was committed last, that is where the new ones begin.
        """
        if not self.committed:
            return 0
        last = self.committed[-1]
        by_time = sum(_middle(word) <= last.end_ms for word in words)
        near = range(max(by_time - _SHIFT, 0), min(by_time + _SHIFT, len(words)))
        alike = [at for at in near if words[at].text == last.text]
        if alike:
            return 1 + min(alike, key=lambda at: abs(_middle(words[at]) - _middle(last)))
        return by_time

    def _move_window(self, heard_ms: int) -> None:
        """Leave audio behind where the window has become too long."""
        if heard_ms - self.window_ms <= WINDOW_MS:
            return
        if self.committed:
            newest_ms = self.committed[-1].end_ms - CONTEXT_MS
            starts = [word.start_ms for word in self.committed if word.start_ms <= newest_ms]
            self.window_ms = max([self.window_ms, *starts[-1:]])
        if heard_ms - self.window_ms > WINDOW_MS:  # no agreement for long
            self.window_ms = heard_ms - WINDOW_MS // 2
            left = sum(word.start_ms < self.window_ms for word in self.tentative)
            if left:  # behind a word, not within one
                self.window_ms = max(self.tentative[left - 1].end_ms, heard_ms - WINDOW_MS)
            self.committed += self.tentative[:left]
            self.tentative = self.tentative[left:]


def _sure(words: Sequence[Word]) -> list[Word]:
    """Return the words up to the first of which the model is not sure."""
    for count, word in enumerate(words):
        if word.confidence is not None and word.confidence < SURE:
            return list(words[:count])
    return list(words)


def _agreement(before: Sequence[Word], now: Sequence[Word]) -> int:
    """Return how many words two decodings have in common from their beginning on."""
    count = 0
    for one, other in zip(before, now, strict=False):
        if one.text != other.text:
            break
        count += 1
    return count


def _middle(word: Word) -> float:
    return (word.start_ms + word.end_ms) / 2
