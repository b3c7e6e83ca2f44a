"""FunASR's graphs: decoded as `kaldi-decoder` does that is called by itself."""

import numpy as np
import pytest

from asr_core.language_models import TlgDecoder, TlgOptions, dense, floors
from tests.tlg import TOKENS, direct, write_graph

V = len(TOKENS)


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tlg")
    write_graph(folder)
    return folder / "TLG.fst"


def rows(seed):
    """Log-probabilities [N, V] that are sure of some steps and not of others."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rng.integers(1, 12), V)) * rng.uniform(0.5, 4)
    return (logits - np.logaddexp.reduce(logits, -1, keepdims=True)).astype(np.float32)


def best(log_probs, count):
    ids = np.argsort(-log_probs, -1, kind="stable")[:, :count].astype(np.int32)
    return ids, np.take_along_axis(log_probs, ids, -1)


def test_all_candidates_are_decoded_as_kaldi_decodes(graph):
    decode = TlgDecoder(graph, V, TlgOptions())
    for seed in range(300):
        log_probs = rows(seed)
        expected = direct(graph, log_probs)
        tokens, scores = decode(*best(log_probs, V))
        assert tokens.tolist() == expected
        assert np.allclose(scores, log_probs[np.arange(len(tokens)), tokens])


def test_few_candidates_agree_where_they_hold_the_path(graph):
    """Eight of eleven tokens: the path is the same where all its tokens are among them."""
    decode = TlgDecoder(graph, V, TlgOptions())
    compared = agreed = 0
    for seed in range(300):
        log_probs = rows(seed)
        all_, _ = decode(*best(log_probs, V))
        few, _ = decode(*best(log_probs, 8))
        compared += 1
        agreed += np.array_equal(all_, few)
    assert agreed >= 0.95 * compared, f"{agreed} of {compared}"


def test_the_graph_corrects_what_it_does_not_spell(graph):
    """今天 天气 好, with 天 heard a little less than 气 in the second place."""
    text = [TOKENS.index(token) for token in "今天天气好"]
    log_probs = np.full((5, V), np.log(0.01), np.float32)
    log_probs[np.arange(5), text] = np.log(0.9)
    log_probs[1, text[1]], log_probs[1, TOKENS.index("气")] = np.log(0.4), np.log(0.45)
    tokens, _ = TlgDecoder(graph, V, TlgOptions())(*best(log_probs, 4))
    assert tokens[1] == text[1]
    assert list(tokens[[0, 3, 4]]) == [text[0], text[3], text[4]]


def test_what_candidates_lack_is_stated():
    ids = np.array([[3, 4]], np.int32)
    log_probs = np.log(np.array([[0.6, 0.2]], np.float32))
    (floor,) = floors(log_probs, 10)
    assert floor == pytest.approx(np.log(0.2 / 8), rel=1e-4)
    full = dense(ids, log_probs, 10)
    assert full[0, 3] == log_probs[0, 0] and full[0, 0] == floor
    assert np.exp(full).sum() == pytest.approx(1, abs=1e-4)


def test_nothing_to_decode_is_nothing(graph):
    tokens, scores = TlgDecoder(graph, V, TlgOptions())(
        np.zeros((0, 8), np.int32), np.zeros((0, 8), np.float32)
    )
    assert len(tokens) == len(scores) == 0


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_a_broken_graph_is_refused(graph, tmp_path, content):
    path = tmp_path / "TLG.fst"
    path.write_bytes(graph.read_bytes()[:300] if content is None else content)
    with pytest.raises(ValueError, match="expected a graph"):
        TlgDecoder(path, V, TlgOptions())
