"""The one place that decides by what a recogniser's text is searched: nothing, or a search.

Scoring asks a `Decoder` for each request. Where neither hotwords nor a language model have a say,
the answer is None, and the graph's best tokens are the text.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from asr_core.decoding.graph_search import Ids, LogProbs, RowSearch, hotwords_first
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
from asr_core.language_models import load_language_model


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
        graph: a search that has a language model in itself, in the place of one.
    """

    def __init__(
        self,
        search: ScoredSearch,
        silent: Collection[int],
        hotwords: HotwordLists,
        language_model: LanguageModel | None = None,
        options: DecodingOptions | None = None,
        graph: RowSearch | None = None,
    ) -> None:
        self._search = search
        self._silent = frozenset(silent)
        self._hotwords = hotwords
        self._options = options or DecodingOptions()
        self._graph = graph
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
            return self._graph
        search = partial(self._search, scorer=scorer, options=self._options, silent=self._silent)
        return hotwords_first(search, self._graph) if self._graph else search

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
    tokens: Sequence[str],
) -> Decoder:
    """Build the decoder of an installed model.

    Args:
        model_dir: a version's folder.
        search: over a row's steps or frames.
        silent: ids that are no text.
        spell: a word to token ids.
        settings: of the hotwords; the server's own are `hotwords.txt` above `model_dir`, if the
            settings name no other folder.
        tokens: the vocabulary, id to token.

    Raises:
        OSError: a file of the language model is missing.
        ValueError: a file is not what it should be.
    """
    words = read_server_list(settings.folder or model_dir.parent)
    hotwords = HotwordLists(spell, words, settings.increment, settings.max_hotwords)
    model = load_language_model(model_dir, tokens)
    if model is None:
        return Decoder(search, silent, hotwords)
    options = DecodingOptions(
        lm_weight=model.settings.weight, insertion_bonus=model.settings.insertion_bonus
    )
    return Decoder(search, silent, hotwords, model.scores, options, model.search)
