"""The one place that decides by what a recogniser's text is searched: nothing, or a search.

Scoring asks a `Decoder` for each request. Where neither hotwords nor a language model have a say,
the answer is None, and the graph's best tokens are the text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asr_core.decoding.hotword_lists import HotwordLists, HotwordSettings, read_server_list
from asr_core.decoding.position_search import MAX_OPEN, PositionSearch
from asr_core.decoding.scorers import (
    DecodingOptions,
    JoinedScorers,
    LanguageModel,
    TokenScorer,
    WeighedLanguageModel,
)
from asr_core.decoding.spelling import Speller

Ids = NDArray[np.int32]
LogProbs = NDArray[np.float32]

RowSearch = Callable[[Ids, LogProbs], tuple[Ids, LogProbs]]
"""Candidates [N, K] of a row's steps or frames, the best first, to one each [N]."""


class ScoredSearch(Protocol):
    """`search_positions` or `search_frames`."""

    def __call__(
        self,
        ids: Ids,
        log_probs: LogProbs,
        scorer: TokenScorer,
        options: DecodingOptions,
        silent: Collection[int],
    ) -> tuple[Ids, LogProbs]:
        """Return the best token of each step or frame; arguments as there."""


class Decoder:
    """Searches the candidates of requests by their hotwords and the server's language model.

    Args:
        search: over a row's steps or frames.
        silent: ids that are no text.
        hotwords: requests' and the server's own.
        language_model: of all requests, None for none.
        options: of the search.
    """

    def __init__(
        self,
        search: ScoredSearch,
        silent: Collection[int],
        hotwords: HotwordLists,
        language_model: LanguageModel | None = None,
        options: DecodingOptions | None = None,
    ) -> None:
        self._search = search
        self._silent = frozenset(silent)
        self._hotwords = hotwords
        self._options = options or DecodingOptions()
        self._language_model = (
            WeighedLanguageModel(language_model, self._options) if language_model else None
        )

    def row_search(self, hotwords: str) -> RowSearch | None:
        """Return what searches the rows of a request, None where the graph's best are the text.

        Args:
            hotwords: the request's, as `parse_hotwords` reads them.

        Raises:
            ValueError: the hotwords cannot be used.
        """
        scorer = self._scorer(hotwords)
        if scorer is None:
            return None
        return partial(self._search, scorer=scorer, options=self._options, silent=self._silent)

    def stream_search(self, hotwords: str) -> PositionSearch | None:
        """Return what searches a stream, None where the graph's best are the text.

        Args:
            hotwords: those that it begins with.

        Raises:
            ValueError: the hotwords cannot be used.
        """
        scorer = self._scorer(hotwords)
        if scorer is None:
            return None
        return PositionSearch(scorer, self._options, self._silent, MAX_OPEN)

    def left_out(self, hotwords: str) -> tuple[str, ...]:
        """Return what is wrong with each of a request's hotwords that is not used.

        Raises:
            ValueError: the hotwords cannot be used.
        """
        return self._hotwords.left_out(hotwords)

    def _scorer(self, hotwords: str) -> TokenScorer | None:
        words = self._hotwords.scorer(hotwords)
        if words is None or self._language_model is None:
            return words or self._language_model
        return JoinedScorers(words, self._language_model)


def load_decoder(
    model_dir: Path,
    search: ScoredSearch,
    silent: Collection[int],
    spell: Speller,
    settings: HotwordSettings,
) -> Decoder:
    """Build the decoder of an installed model.

    Args:
        model_dir: a version's folder.
        search: over a row's steps or frames.
        silent: ids that are no text.
        spell: a word to token ids.
        settings: of the hotwords; the server's own are `hotwords.txt` above `model_dir`, if the
            settings name no other folder.

    Raises:
        ValueError: a file is not what it should be.
    """
    words = read_server_list(settings.folder or model_dir.parent)
    hotwords = HotwordLists(spell, words, settings.increment, settings.max_hotwords)
    return Decoder(search, silent, hotwords)
