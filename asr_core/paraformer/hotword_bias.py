"""From a request's hotwords to what the encoder attends to."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr_contract import Hotword, parse_hotwords
from asr_core.decoding import SERVER_LIST, read_server_list
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

    A word that the vocabulary cannot write is left out, and `left_out` tells.

    Args:
        tokenizer: word to token ids.
        embedder: token ids to embeddings.
        server_words: added to every request's.
        max_hotwords: of both together.

    Raises:
        ValueError: the server's own words are too many.
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
        self._server_ids: tuple[Ids, ...] = ()
        self._server_ids, problems = self._tokenize(server_words)
        for problem in problems:
            logging.getLogger(__name__).warning("%s: left out: %s", SERVER_LIST, problem)
        # The same list comes with every request of a caller.
        self._read = lru_cache(maxsize=64)(self._read_request)

    def __call__(self, text: str) -> BiasEmbed:
        """Embed a request's hotwords: float32 [N, D], the last row for "no hotword".

        Args:
            text: as `parse_hotwords` reads it, "" for none.

        Raises:
            ValueError: it cannot be read, or the words are too many.
        """
        return self._embedder([*self._read(text)[0], (START,)])

    def left_out(self, text: str) -> tuple[str, ...]:
        """Return what is wrong with each of a request's hotwords that is not used.

        Raises:
            ValueError: as for the call.
        """
        return self._read(text)[1]

    def _read_request(self, text: str) -> tuple[tuple[Ids, ...], tuple[str, ...]]:
        return self._tokenize(parse_hotwords(text))

    def _tokenize(self, words: Sequence[Hotword]) -> tuple[tuple[Ids, ...], tuple[str, ...]]:
        """Return the ids of words and of the server's, and what is wrong with the others."""
        if len(words) > self._max_hotwords:  # before the work of looking each up
            raise self._too_many(len(words))
        ids: list[Ids] = []
        problems: list[str] = []
        for word in words:
            try:
                ids.append(self._tokenizer(word.text))
            except ValueError as error:
                problems.append(str(error))
        found = tuple(dict.fromkeys([*ids, *self._server_ids]))
        if len(found) > self._max_hotwords:
            raise self._too_many(len(found))
        return found, tuple(problems)

    def _too_many(self, number: int) -> ValueError:
        return ValueError(
            f"hotwords: expected at most {self._max_hotwords} (max_hotwords), the server's own "
            f"included; got {number}"
        )


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
        max_hotwords: of a request and the server's list together.

    Raises:
        ValueError: a file is not what it should be, or the server's words are too many.
    """
    if not (model_dir / EMBEDDER_FILE).is_file():
        return NoHotwords()
    words = read_server_list(model_dir.parent)
    tokenizer = HotwordTokenizer(
        load_pieces(model_dir), load_segmentation(model_dir / SEGMENTATION_FILE)
    )
    embedder = load_embedder(model_dir / EMBEDDER_FILE)
    try:
        return HotwordBias(tokenizer, embedder, words, max_hotwords)
    except ValueError as error:
        raise ValueError(f"{model_dir.parent / SERVER_LIST}: {error}") from error
