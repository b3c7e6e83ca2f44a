"""Words, and what a CTC recogniser takes for likely in each frame, to the words' times."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr_core.alignment.boundaries import Span, word_spans
from asr_core.alignment.cuts import Piece, cut
from asr_core.alignment.path import Heard, Stretch, best_paths
from asr_core.alignment.text import TextSpeller
from asr_core.sensevoice.ctc import BLANK_ID, greedy_search

NOT_WRITABLE = -1.0  # in the place of a confidence

_PIECE_CELLS = 200_000  # a minute of speech
_BATCH_CELLS = 1_000_000  # 10 bytes each
_MAX_CELLS = 20_000_000  # of a piece that cannot be cut; beyond, text and audio share nothing


@dataclass(frozen=True)
class Frames:
    """What is likely in T frames.

    Attributes:
        candidate_ids: int32 [T, K], the best tokens, the best first.
        candidate_scores: float32 [T, K], their log-probabilities.
    """

    candidate_ids: NDArray[np.int32]
    candidate_scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.candidate_ids)

    def scores_of(self, tokens: Sequence[int], start: int, end: int) -> NDArray[np.float32]:
        """Return the log-probability of each token in each frame of [start, end): [T, N].

        A token that is no candidate cannot be more likely than the last one, and counts as that.
        """
        ids, scores = self.candidate_ids[start:end], self.candidate_scores[start:end]
        known, places = np.unique(np.asarray(tokens, np.int32), return_inverse=True)
        table = np.repeat(scores[:, -1:], len(known), axis=1)
        if len(known):
            columns = np.searchsorted(known, ids).clip(max=len(known) - 1)
            rows, ranks = np.nonzero(known[columns] == ids)
            table[rows, columns[rows, ranks]] = scores[rows, ranks]
        return np.asarray(table[:, places])


@dataclass(frozen=True)
class AlignedWord:
    """Where a word is.

    Attributes:
        start_ms, end_ms: its time; for a word that is not heard, where it would be.
        confidence: mean probability of its tokens where they are best placed, 0 where the audio
            is better explained without the word, `NOT_WRITABLE` where the vocabulary cannot
            write it.
    """

    start_ms: int
    end_ms: int
    confidence: float


class CtcAligner:
    """Aligns texts with the frames of a CTC recogniser.

    Args:
        tokenizer: its SentencePiece model.
        piece_cells: frames times tokens of the pieces into which a long alignment is cut.
    """

    def __init__(self, tokenizer: object, piece_cells: int = _PIECE_CELLS) -> None:
        self._spell = TextSpeller(tokenizer)
        self._piece_cells = piece_cells

    def __call__(
        self, words: Sequence[str], frames: Frames, levels: NDArray[np.float32]
    ) -> list[AlignedWord]:
        """Return where each word is.

        Args:
            words: of a text, in order, without marks.
            frames: of the recording.
            levels: float32 [L], in dB, one for each 10 ms of it.
        """
        spelled = self._spell(words)
        # Tokens of several words belong together: they are heard or not, and share their time.
        begins = [
            index
            for index, (first, _) in enumerate(spelled.words)
            if index == 0 or first >= spelled.words[index - 1][1]
        ]
        heard = self._heard(spelled.tokens, begins, frames)
        units = [
            (spelled.words[begin][0], spelled.words[end - 1][1])
            for begin, end in pairwise([*begins, len(spelled.tokens)])
        ]
        places = {
            unit: (path.token_frames[0][0], path.token_frames[-1][1])
            for unit, path in zip(units, heard, strict=True)
            if path is not None
        }
        scores = {
            unit: math.exp(path.score) for unit, path in zip(units, heard, strict=True) if path
        }
        writable = {index for first, last in units for index in range(first, last)}
        for index in range(len(words)):
            if index not in writable:
                scores[index, index + 1] = NOT_WRITABLE
        placed = _places(places, [unit for unit in scores if unit not in places], len(frames))
        spans = word_spans(
            ["".join(words[first:last]) for first, last in placed], [*placed.values()], levels
        )
        times: dict[int, AlignedWord] = {}
        for unit, (start, end) in zip(placed, spans, strict=True):
            first, last = unit
            for index in range(first, last):
                begin_ms = start + (end - start) * (index - first) // (last - first)
                end_ms = start + (end - start) * (index + 1 - first) // (last - first)
                times[index] = AlignedWord(begin_ms, end_ms, scores[unit])
        return [*_in_order(len(words), times)]

    def _heard(
        self, tokens: Sequence[int], begins: Sequence[int], frames: Frames
    ) -> list[Heard | None]:
        """Return where each word is heard, in frames."""
        best = greedy_search(frames.candidate_ids[:, 0], frames.candidate_scores[:, 0])
        pieces = list(cut(best, len(frames), tokens, begins, self._piece_cells))
        found: dict[int, list[Heard | None]] = {}
        for batch in _batches(pieces):
            stretches = [self._stretch(pieces[number], tokens, begins, frames) for number in batch]
            for number, paths in zip(batch, best_paths(stretches), strict=True):
                found[number] = [_moved(path, pieces[number].start_frame) for path in paths]
        words: list[Heard | None] = []
        for number, piece in enumerate(pieces):
            if number in found:
                words += found[number]
            else:  # too large for an alignment
                words += [None] * sum(piece.first <= begin < piece.last for begin in begins)
        return words

    def _stretch(
        self, piece: Piece, tokens: Sequence[int], begins: Sequence[int], frames: Frames
    ) -> Stretch:
        own = tokens[piece.first : piece.last]
        ends = [begin - piece.first for begin in begins if piece.first < begin < piece.last]
        scores = frames.scores_of([*own, BLANK_ID], piece.start_frame, piece.end_frame)
        return Stretch(
            token_scores=scores[:, :-1],
            blank_scores=scores[:, -1],
            best_scores=frames.candidate_scores[piece.start_frame : piece.end_frame, 0],
            tokens=own,
            word_ends=[*ends, len(own)] if own else [],
        )


def _batches(pieces: Sequence[Piece]) -> Iterator[list[int]]:
    """Yield the numbers of pieces that are aligned together: of about the same length."""
    usable = [number for number, piece in enumerate(pieces) if piece.cells <= _MAX_CELLS]
    lengths = [piece.end_frame - piece.start_frame for piece in pieces]
    widths = [piece.last - piece.first for piece in pieces]
    batch: list[int] = []
    width = 0
    for number in sorted(usable, key=lambda number: -lengths[number]):
        width = max(width, widths[number])
        if batch and (len(batch) + 1) * lengths[batch[0]] * width > _BATCH_CELLS:
            yield batch
            batch, width = [], widths[number]
        batch.append(number)
    if batch:
        yield batch


def _moved(path: Heard | None, frames: int) -> Heard | None:
    if path is None:
        return None
    return Heard(tuple((a + frames, b + frames) for a, b in path.token_frames), path.score)


def _places(
    heard: dict[Span, Span], unwritable: Sequence[Span], num_frames: int
) -> dict[Span, Span]:
    """Return the frames of all words, in order: those that cannot be written between the others.

    Args:
        heard: for each unit of words [first, last), its frames.
        unwritable: units of words that have none.
        num_frames: of the recording.
    """
    placed: dict[Span, Span] = {}
    waiting: list[Span] = []
    latest = 0
    for unit in [*sorted([*heard, *unwritable]), None]:
        if unit is not None and unit not in heard:
            waiting.append(unit)
            continue
        start = num_frames if unit is None else heard[unit][0]
        for number, other in enumerate(waiting):
            frame = latest + (start - latest) * (2 * number + 1) // (2 * len(waiting))
            placed[other] = frame, frame + 1
        waiting = []
        if unit is not None:
            placed[unit] = heard[unit]
            latest = heard[unit][1]
    return placed


def _in_order(count: int, placed: dict[int, AlignedWord]) -> Iterator[AlignedWord]:
    """Yield all words; those that are not heard where they would be."""
    latest_ms = 0
    for index in range(count):
        word = placed.get(index, AlignedWord(latest_ms, latest_ms, 0.0))
        latest_ms = word.end_ms
        yield word


def load_aligner(tokenizer_path: Path) -> CtcAligner:
    """Build the aligner of a SenseVoice.

    Args:
        tokenizer_path: its SentencePiece model.

    Raises:
        OSError, RuntimeError: there is no such file, or it is none.
    """
    import sentencepiece  # only who aligns needs it

    return CtcAligner(sentencepiece.SentencePieceProcessor(model_file=str(tokenizer_path)))
