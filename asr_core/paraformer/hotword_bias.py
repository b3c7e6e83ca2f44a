"""From a request's hotwords to what the encoder attends to."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr_contract import Hotword, parse_hotwords
from asr_core.decoding import DEFAULT_WEIGHT, SERVER_LIST, read_server_list
from asr_core.paraformer.hotword_embedder import EMBEDDER_FILE, HotwordEmbedder, load_embedder
from asr_core.paraformer.hotword_tokenizer import (
    SEGMENTATION_FILE,
    HotwordTokenizer,
    load_segmentation,
)
from asr_core.paraformer.scoring import START, load_pieces

BiasEmbed = NDArray[np.float32]  # [N, D]


Ids = tuple[int, ...]


class HotwordBias:
    """Embeds the hotwords of requests, those of the server's own list with them.

    A word that the vocabulary cannot write is left out, and `left_out` tells. Of more words than
    the encoder is to attend to, a request's come before the server's, and of either the heaviest;
    the search behind the graph knows all of them.

    Args:
        tokenizer: word to token ids.
        embedder: token ids to embeddings.
        server_words: added to every request's.
        max_hotwords: that the encoder attends to.
    """

    def __init__(
        self,
        tokenizer: HotwordTokenizer,
        embedder: HotwordEmbedder,
        server_words: Sequence[Hotword] = (),
        max_hotwords: int = 500,
    ) -> None:
        self._tokenizer = tokenizer
        self._embedder = embedder
        self._max_hotwords = max_hotwords
        self._server_words, problems = self._tokenize(server_words)
        for problem in problems:
            logging.getLogger(__name__).warning("%s: left out: %s", SERVER_LIST, problem)
        # The same list comes with every request of a caller.
        self._read = lru_cache(maxsize=64)(self._read_request)

    def __call__(self, text: str) -> BiasEmbed:
        """Embed a request's hotwords: float32 [N, D], the last row for "no hotword".

        Args:
            text: as `parse_hotwords` reads it, "" for none.

        Raises:
            ValueError: it cannot be read.
        """
        return self._embedder([*self._read(text)[0], (START,)])

    def left_out(self, text: str) -> tuple[str, ...]:
        """Return what is wrong with each of a request's hotwords that is not used.

        Raises:
            ValueError: as for the call.
        """
        return self._read(text)[1]

    def _read_request(self, text: str) -> tuple[tuple[Ids, ...], tuple[str, ...]]:
        """Return what the encoder attends to, and what is wrong with the request's other words."""
        own, problems = self._tokenize(parse_hotwords(text))
        chosen = _heaviest(own, self._max_hotwords)
        others = {ids: weight for ids, weight in self._server_words.items() if ids not in own}
        return (*chosen, *_heaviest(others, self._max_hotwords - len(chosen))), problems

    def _tokenize(self, words: Sequence[Hotword]) -> tuple[dict[Ids, float], tuple[str, ...]]:
        """Return the ids and weights of words, and what is wrong with those not attended to."""
        found: dict[Ids, float] = {}
        problems: list[str] = []
        for word in words:
            try:
                ids = self._tokenizer(word.text)
            except ValueError as error:
                problems.append(str(error))
                continue
            found[ids] = DEFAULT_WEIGHT if word.weight is None else word.weight
        if len(found) > self._max_hotwords:
            problems.append(
                f"hotwords: the encoder attends to the {self._max_hotwords} heaviest of "
                f"{len(found)} (max_hotwords)"
            )
        return found, tuple(problems)


def _heaviest(words: Mapping[Ids, float], count: int) -> list[Ids]:
    """Return so many words in the order given; of equal weights the first."""
    chosen = {*sorted(words, key=lambda ids: -words[ids])[:count]}
    return [ids for ids in words if ids in chosen]


class NoHotwords:
    """Stands in for `HotwordBias` in a model without: a float32 [1, 1] that its graph ignores.

    There hotwords are left to the search behind the graph.
    """

    def __call__(self, text: str) -> BiasEmbed:
        """Return the stand-in."""
        return np.zeros((1, 1), np.float32)

    def left_out(self, text: str) -> tuple[str, ...]:
        """Return that nothing is wrong."""
        return ()


def load_hotword_bias(model_dir: Path, max_hotwords: int) -> HotwordBias | NoHotwords:
    """Build what embeds hotwords for the installed model.

    Args:
        model_dir: holds `hotword_embedder.npz` and `tokens.json` if the model takes hotwords; the
            server's own list is `hotwords.txt` in the folder above it.
        max_hotwords: that the encoder attends to.

    Raises:
        ValueError: a file is not what it should be.
    """
    if not (model_dir / EMBEDDER_FILE).is_file():
        return NoHotwords()
    words = read_server_list(model_dir.parent)
    tokenizer = HotwordTokenizer(
        load_pieces(model_dir), load_segmentation(model_dir / SEGMENTATION_FILE)
    )
    embedder = load_embedder(model_dir / EMBEDDER_FILE)
    return HotwordBias(tokenizer, embedder, words, max_hotwords)
