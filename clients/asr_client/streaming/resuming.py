"""How a stream goes on that lost its server: what is heard again, and what of that is new."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_contract import SAMPLE_RATE, SAMPLES_PER_MS, are_spaced

from ..audio.waveform import Waveform
from ..errors import ProtocolError
from ..protocol import InferRequest
from ..results import Transcript
from .protocol import StreamTranscript, joined

HELD_S = 60
_PAUSE_MS = 500  # without a word: a model that begins there hears what follows as it did
_WORD_MS = 400  # seldom longer
_WINDOW_MS = 600


class HeldAudio:
    """The newest audio of a stream, at most `HELD_S` of it."""

    def __init__(self) -> None:
        self._pieces: deque[Waveform] = deque()
        self.begin = 0  # sample of the stream where it begins
        self.end = 0

    def put(self, piece: Waveform) -> None:
        """Add [samples] float32; copied, because callers reuse their buffers."""
        self._pieces.append(piece.copy())
        self.end += piece.size
        while self.end - self.begin - self._pieces[0].size > HELD_S * SAMPLE_RATE:
            self.begin += self._pieces.popleft().size

    def since(self, sample: int) -> Waveform:
        """Return what is held from a sample of the stream on, [samples]."""
        held: Waveform = np.concatenate([np.zeros(0, np.float32), *self._pieces])
        return held[sample - self.begin :]


def resume_at(words_ms: Sequence[tuple[int, int]] | None, held: HeldAudio) -> int | None:
    """Return the sample from which a stream is heard again: in the last pause, if there was one.

    Without one it is the beginning, or the widest gap between two words.

    Args:
        words_ms: (start, end) of the words that are final; None if they have no times.
        held: what there is of the audio.

    Returns:
        None if nothing that is held will do.
    """
    if words_ms is None:
        return 0 if held.begin == 0 else None
    widest_ms, widest_at_ms = -1, 0
    for before, (start_ms, _) in reversed([*pairwise([(0, 0), *words_ms])]):
        # The word before a pause lasts through it.
        end_ms = min(before[1], before[0] + _WORD_MS)
        if start_ms * SAMPLES_PER_MS < held.begin:
            break
        gap_ms = start_ms - end_ms
        if gap_ms >= _PAUSE_MS:
            return _on_grid(start_ms - _PAUSE_MS // 2, held)
        if gap_ms > widest_ms:
            widest_ms, widest_at_ms = gap_ms, start_ms
    if held.begin == 0:
        return 0
    return held.begin if widest_ms < 0 else _on_grid(widest_at_ms, held)


def _on_grid(at_ms: int, held: HeldAudio) -> int:
    """Return the sample of a moment, or a little before, where the models' windows begin, too."""
    return max((at_ms - at_ms % _WINDOW_MS) * SAMPLES_PER_MS, held.begin)


class ResumableTranscript(StreamTranscript):
    """A transcript that another sequence may go on with.

    What is final stays as it was told: of what the new sequence says of the same audio, the words
    that lie within it are left out.

    Attributes:
        resumed: a sentence for each time that it went on.
    """

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.resumed: list[str] = []
        self._again: StreamTranscript | None = None
        self._offset = 0  # the sample where the new sequence's audio begins
        self._told = ("", "", (0, 0))  # text, its last word, and that one's time, in ms
        self._has_last = False  # that word was heard again
        self._is_past = False  # the new sequence has said a word that was not told
        self._cut = 0  # characters of its text, and words, that were told
        self._seen = 0

    def resume(self, sample: int) -> None:
        """Expect the answers of a new sequence, whose audio begins at a sample of the stream."""
        self.resumed.append(
            f"a server was lost after {self.acknowledged_samples / SAMPLE_RATE:.1f} s: the audio "
            f"from {sample / SAMPLE_RATE:.1f} s on was heard again by another"
        )
        self._again, self._offset = StreamTranscript(self._model), sample
        last_ms = self.timestamps_ms[-1] if self.timestamps_ms else (0, 0)
        self._told = self.final_text, self.tokens[-1] if self.tokens else "", last_ms
        self._has_last = False
        self._is_past, self._cut, self._seen = not self.final_text, 0, 0

    def accept(self, request: InferRequest, outputs: Mapping[str, NDArray[Any]]) -> None:
        """Take in the answer to a request, as `StreamTranscript.accept`."""
        again = self._again
        if again is None:
            super().accept(request, outputs)
            return
        again.accept(request, outputs)
        self._skip(again)
        heard = self._offset + again.acknowledged_samples
        final_text = self._joined(again.final_text)
        if heard >= self.acknowledged_samples:
            text = self._joined(again.text)
        else:  # what was shown is not taken back while it is heard again
            text = self.text if self.text.startswith(final_text) else final_text
        self._texts, self.is_final = (text, final_text), again.is_final
        self.acknowledged_samples = max(self.acknowledged_samples, heard)
        self.warnings = again.warnings

    def result(self) -> Transcript:
        """Return the transcript of the audio acknowledged."""
        result = super().result()
        return replace(result, warnings=[*self.resumed, *result.warnings])

    def _skip(self, again: StreamTranscript) -> None:
        """Take the new sequence's words in, but those that were told."""
        if again.timestamps_ms is None:  # it hears the stream from its beginning
            self._cut = min(len(self._told[0]), len(again.final_text))
            self._is_past = len(again.final_text) > self._cut
            return
        offset_ms = self._offset // SAMPLES_PER_MS
        new = [
            (start_ms + offset_ms, end_ms + offset_ms)
            for start_ms, end_ms in again.timestamps_ms[self._seen :]
        ]
        while new and not self._is_past:
            word = again.tokens[self._seen]
            if not self._is_told(word, *new[0]):
                self._is_past = True
                break
            found = again.final_text.find(word, self._cut)
            if found < 0:
                raise ProtocolError(f"TOKENS: expected words of {again.final_text!r}; got {word!r}")
            self._cut = found + len(word)
            self._seen += 1
            new = new[1:]
        if new and self.timestamps_ms is not None:
            self.tokens += again.tokens[self._seen :]
            self.timestamps_ms += new
            confidence = None if again.confidence is None else again.confidence[self._seen :]
            self.confidence = joined(self.confidence, confidence)
            self._seen += len(new)

    def _is_told(self, word: str, start_ms: int, end_ms: int) -> bool:
        """Return whether a word lies within what was told, or is the last of it, heard later."""
        _, last, (last_start_ms, told_ms) = self._told
        middle_ms = (start_ms + end_ms) / 2
        is_last = word == last and start_ms < told_ms and not self._has_last
        # Else a word that is said twice would be told once.
        self._has_last = self._has_last or (is_last and middle_ms >= last_start_ms)
        return middle_ms <= told_ms or is_last

    def _joined(self, text: str) -> str:
        """Return what was told with what of a text of the new sequence was not."""
        told, rest = self._told[0], text[self._cut :]
        needs_space = bool(told and rest and not self._cut) and are_spaced(told, rest)
        return told + " " * needs_space + rest
