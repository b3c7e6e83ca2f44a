"""Hotwords together with FunASR's graphs: found first, and the graph has the last word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asr_core.decoding import Decoder, HotwordLists, Joints, search_positions
from asr_core.language_models import TlgDecoder, TlgOptions
from tests.tlg import TOKENS, write_graph

SILENT = (0, 1, 2)


class Spell:
    """Writes a word in one way: a token each, `he@@` for h and `llo` for l."""

    joints = Joints(frozenset({TOKENS.index("he@@")}), frozenset(range(len(TOKENS))))

    def __call__(self, word: str) -> list[tuple[int, ...]]:
        return [tuple(TOKENS.index({"h": "he@@", "l": "llo"}.get(one, one)) for one in word)]


spell = Spell()


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> TlgDecoder:
    folder: Path = tmp_path_factory.mktemp("graph")
    write_graph(folder)
    return TlgDecoder(folder / "TLG.fst", len(TOKENS), TlgOptions())


@pytest.fixture(scope="module")
def decoder(graph: TlgDecoder) -> Decoder:
    return Decoder(search_positions, SILENT, HotwordLists(spell, ()), graph=graph)


def candidates(*steps: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the candidates of steps, each with two tokens and what they have."""
    ids = [[spell(token)[0][0] for token in step] for step in steps]
    log_probs = [[np.log(share) for share in step.values()] for step in steps]
    return np.array(ids, np.int32), np.array(log_probs, np.float32)


def text(ids: np.ndarray) -> str:
    return "".join(TOKENS[token] for token in ids)


# 今天 is heard as 今气 by a little, so that a graph without hotwords says 今天; 你 as 好 by more.
HEARD = candidates({"今": 0.9, "天": 0.05}, {"气": 0.5, "天": 0.45}, {"好": 0.9, "你": 0.08})


def test_without_hotwords_the_graph_decides(decoder: Decoder, graph: TlgDecoder) -> None:
    search = decoder.row_search("")
    assert search is not None
    for found, expected in zip(search(*HEARD), graph(*HEARD), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert text(search(*HEARD)[0]) == "今天好"


@pytest.mark.parametrize("words", ["天 60", "好 60", "今 60"])
def test_hotwords_that_change_nothing_leave_all_to_the_graph(
    decoder: Decoder, graph: TlgDecoder, words: str
) -> None:
    heard = candidates({"今": 0.97, "你": 0.01}, {"天": 0.97, "气": 0.01}, {"好": 0.97, "你": 0.01})
    search = decoder.row_search(words)
    assert search is not None
    for found, expected in zip(search(*heard), graph(*heard), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_hotword_stays_and_the_graph_finds_the_rest(decoder: Decoder) -> None:
    """What hotwords found has the log-probability it was heard with; inputs stay as they are."""
    ids, log_probs = HEARD
    before = ids.copy(), log_probs.copy()
    search = decoder.row_search("你 60")
    assert search is not None
    chosen, chosen_log_probs = search(ids, log_probs)
    assert text(chosen) == "今天你"
    assert np.exp(chosen_log_probs) == pytest.approx([0.9, 0.45, 0.08], rel=1e-4)
    np.testing.assert_array_equal(ids, before[0])
    np.testing.assert_array_equal(log_probs, before[1])


def test_the_graph_overrules_a_hotword_that_it_cannot_spell(decoder: Decoder) -> None:
    """No word of the graph has `he@@` before 好."""
    heard = candidates({"你": 0.6, "h": 0.35}, {"好": 0.9, "天": 0.05})
    search = decoder.row_search("h好 60")
    assert search is not None
    assert text(search(*heard)[0]) != "he@@好"


def test_nothing_heard_is_nothing(decoder: Decoder) -> None:
    search = decoder.row_search("你 60")
    assert search is not None
    chosen, log_probs = search(np.zeros((0, 2), np.int32), np.zeros((0, 2), np.float32))
    assert len(chosen) == len(log_probs) == 0
