"""Paraformer's decoder output to words with times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr_contract.text_files import read_json
from asr_core.config import load_config
from asr_core.decoding import RowSearch
from asr_core.text import CIF_UPSAMPLING, DecodedWord, cif_spans_ms, join_pieces

BLANK, START, END = 0, 1, 2  # <blank>, <s>, </s> in every Paraformer vocabulary
SPECIAL_PIECES = frozenset({"<blank>", "<s>", "</s>", "<unk>"})


def silent_ids(pieces: Sequence[str]) -> frozenset[int]:
    """Return the ids of a vocabulary that are no text."""
    return frozenset({BLANK, END, *(i for i, p in enumerate(pieces) if p in SPECIAL_PIECES)})


@dataclass(frozen=True)
class ParaformerRow:
    """What the encoder graph gives for one recording, padding cut off.

    Attributes:
        token_ids: integer [N], best id per decoder step.
        token_scores: float32 [N], their log-probabilities.
        us_alphas, us_cif_peak: float32 [3T], CIF weights and integrals at 20 ms steps; all zero
            for a model without timestamps.
        candidate_ids: integer [N, K], best ids per decoder step, the best first.
        candidate_scores: float32 [N, K], their log-probabilities.
    """

    token_ids: NDArray[np.int32]
    token_scores: NDArray[np.float32]
    us_alphas: NDArray[np.float32]
    us_cif_peak: NDArray[np.float32]
    candidate_ids: NDArray[np.int32]
    candidate_scores: NDArray[np.float32]


class ParaformerOutputs(NamedTuple):
    """What the prepared encoder graph gives for R recordings, named as its outputs.

    Attributes:
        token_ids: int32 [R, N], best id of each decoder step.
        token_scores: float32 [R, N], their log-probabilities.
        token_num: int32 [R] or [R, 1], decoder steps of each row.
        us_alphas, us_cif_peak: float32 [R, 3T], as in `ParaformerRow`.
        candidate_ids, candidate_scores: int32 and float32 [R, N, K], as there.
    """

    token_ids: NDArray[np.int32]
    token_scores: NDArray[np.float32]
    token_num: NDArray[np.int32]
    us_alphas: NDArray[np.float32]
    us_cif_peak: NDArray[np.float32]
    candidate_ids: NDArray[np.int32]
    candidate_scores: NDArray[np.float32]

    def rows(self, speech_lengths: NDArray[np.int32]) -> Iterator[ParaformerRow]:
        """Yield each row without the padding that batching added.

        Args:
            speech_lengths: int32 [R] or [R, 1], frames of each row.
        """
        lengths = zip(self.token_num.ravel().tolist(), speech_lengths.ravel().tolist(), strict=True)
        for row, (tokens, frames) in enumerate(lengths):
            cif_frames = frames * CIF_UPSAMPLING
            yield ParaformerRow(
                self.token_ids[row, :tokens],
                self.token_scores[row, :tokens],
                self.us_alphas[row, :cif_frames],
                self.us_cif_peak[row, :cif_frames],
                self.candidate_ids[row, :tokens],
                self.candidate_scores[row, :tokens],
            )


class ParaformerScoring:
    """Words of a Paraformer.

    Args:
        pieces: the vocabulary, id to piece.
        predictor_bias: decoder steps that the predictor counts beyond the text (the end of the
            sentence), `model_conf.predictor_bias` of the model's `config.yaml`.
    """

    def __init__(self, pieces: Sequence[str], predictor_bias: int) -> None:
        self._pieces = pieces
        self._predictor_bias = predictor_bias

    @property
    def pieces(self) -> Sequence[str]:
        """The vocabulary, id to piece."""
        return self._pieces

    def __call__(self, row: ParaformerRow, search: RowSearch | None = None) -> list[DecodedWord]:
        """Turn one row into words.

        Args:
            row: what the graph gives.
            search: finds the tokens among the candidates; None takes the best of each step.
        """
        length = max(len(row.token_ids) - self._predictor_bias, 0)
        best = _steps_of_text(row)
        if search is not None:
            row = self._searched(row, length, search)
        kept = _steps_of_text(row)
        if len(kept) < len(best):  # a search, a graph's, says of steps that nothing is there
            kept = [i for i in kept if i < length]
            times = cif_spans_ms(row.us_alphas, row.us_cif_peak, length)
            spans = [times[i] for i in kept]
        else:  # as FunASR does, a step behind the text takes the place of one without a token
            kept = kept[:length]
            spans = cif_spans_ms(row.us_alphas, row.us_cif_peak, len(kept))
        words = [
            DecodedWord(self._pieces[row.token_ids[i]], start, end, float(row.token_scores[i]))
            for i, (start, end) in zip(kept, spans, strict=True)
        ]
        return join_pieces(word for word in words if word.text not in SPECIAL_PIECES)

    def score_rows(
        self,
        outputs: ParaformerOutputs,
        speech_lengths: NDArray[np.int32],
        search: RowSearch | None = None,
    ) -> list[list[DecodedWord]]:
        """Turn a batch into words, each row by itself.

        Args:
            outputs: of R rows.
            speech_lengths: int32 [R] or [R, 1], frames of each row.
            search: as for one row.
        """
        return [self(row, search) for row in outputs.rows(speech_lengths)]

    def _searched(self, row: ParaformerRow, count: int, search: RowSearch) -> ParaformerRow:
        """Return a row with the tokens that a search finds in the first steps, those of text."""
        ids, scores = search(row.candidate_ids[:count], row.candidate_scores[:count])
        return replace(
            row,
            token_ids=np.concatenate([ids, row.token_ids[count:]]),
            token_scores=np.concatenate([scores, row.token_scores[count:]]),
        )


def _steps_of_text(row: ParaformerRow) -> list[int]:
    """Return the steps with a token that can be in a text."""
    return [i for i, token in enumerate(row.token_ids.tolist()) if token not in (BLANK, END)]


def load_scoring(model_dir: Path) -> ParaformerScoring:
    """Build the scoring of the model whose `tokens.json` and `config.yaml` lie in `model_dir`.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: one is not what it should be.
    """
    settings = load_config(model_dir).get("model_conf", {})
    return ParaformerScoring(load_pieces(model_dir), int(settings.get("predictor_bias", 0)))


def load_pieces(model_dir: Path) -> list[str]:
    """Read a vocabulary, `tokens.json`.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not a list of strings.
    """
    path = model_dir / "tokens.json"
    pieces = read_json(path)
    if not isinstance(pieces, list) or not all(isinstance(piece, str) for piece in pieces):
        raise ValueError(f"{path}: expected a list of strings, the vocabulary")
    return pieces
