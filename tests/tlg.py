"""A small TLG.fst in FunASR's form, made by the steps of its `runtime/tools/fst`."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import kaldi_decoder
import kaldifst
import numpy as np
from numpy.typing import NDArray

TOKENS = ["<blank>", "<s>", "</s>", "今", "天", "气", "好", "he@@", "llo", "你", "<unk>"]
LEXICON = {
    "今天": "今 天", "天气": "天 气", "好": "好", "天": "天", "hello": "he@@ llo", "你好": "你 好",
    "你": "你", "气": "气",
}  # fmt: skip
PROBS = {"今天": 0.2, "天气": 0.3, "好": 0.15, "天": 0.05, "hello": 0.1, "你好": 0.1, "你": 0.05,
         "气": 0.05}  # fmt: skip
PAIRS = {("今天", "天气"): 0.6, ("天气", "好"): 0.7, ("你", "好"): 0.5}


Spellings = Mapping[str, str]
Probs = Mapping[str, float]
Pairs = Mapping[tuple[str, str], float]


def write_graph(
    folder: Path,
    tokens: Sequence[str] = TOKENS,
    spellings: Spellings = LEXICON,
    probs: Probs = PROBS,
    pairs: Pairs = PAIRS,
) -> None:
    """Write TLG.fst, lexicon.txt and config.yaml.

    Args:
        folder: to put them in.
        tokens: of the recogniser; words that they cannot spell are left out.
        spellings: words to tokens with spaces between.
        probs: of words.
        pairs: probabilities of words after others.
    """
    lexicon = {word: text for word, text in spellings.items() if set(text.split()) <= set(tokens)}
    words = ["<eps>", *lexicon, "#0", "<s>", "</s>"]
    # Every word that spells the beginning of another, or the same, is told apart by a symbol.
    disambiguation = ["#0", "#1", "#2"]
    labels = {name: number for number, name in enumerate(["<eps>", *tokens, *disambiguation])}
    word_labels = {name: number for number, name in enumerate(words)}
    token_fst = kaldifst.compile(_token_lines(labels), acceptor=False)
    lexicon_fst = kaldifst.compile(_lexicon_lines(lexicon, labels, word_labels), acceptor=False)
    grammar_fst = kaldifst.compile(_grammar_lines(word_labels, probs, pairs), acceptor=False)
    for one in (token_fst, lexicon_fst):
        kaldifst.arcsort(one, sort_type="olabel")
    kaldifst.arcsort(grammar_fst, sort_type="ilabel")
    words_of_tokens = kaldifst.compose(lexicon_fst, grammar_fst)
    words_of_tokens = kaldifst.StdVectorFst(words_of_tokens)
    kaldifst.determinize_star(words_of_tokens, use_log=True)
    kaldifst.minimize_encoded(words_of_tokens)
    kaldifst.arcsort(words_of_tokens, sort_type="ilabel")
    graph = kaldifst.compose(token_fst, words_of_tokens)
    graph.write(str(folder / "TLG.fst"))
    lines = "".join(f"{word}\t{spelling}\n" for word, spelling in lexicon.items())
    (folder / "lexicon.txt").write_text(lines, encoding="utf-8")
    listed = "".join(f'- "{word}"\n' for word in words)
    (folder / "config.yaml").write_text(f"token_list:\n{listed}", encoding="utf-8")


def direct(graph: Path, log_probs: NDArray[np.float32]) -> list[int]:
    """Return the tokens of the best path, by `kaldi-decoder` on all log-probabilities [N, V]."""
    options = kaldi_decoder.FasterDecoderOptions(beam=3.0, min_active=200)
    read, weighed = kaldifst.StdVectorFst.read(str(graph)), log_probs * np.float32(10)
    decoder = kaldi_decoder.FasterDecoder(read, options)
    decoder.decode(kaldi_decoder.DecodableCtc(weighed))
    ok, lattice = decoder.get_best_path()
    if not ok:
        raise ValueError(f"{graph}: expected a path, found none")
    _, labels, _, _ = kaldifst.get_linear_symbol_sequence(lattice)
    return [label - 1 for label in labels]


def _token_lines(labels: dict[str, int]) -> str:
    lines = [f"0 0 {labels['<blank>']} 0"]
    for state, (name, label) in enumerate(labels.items()):
        if name.startswith("#"):
            lines.append(f"0 0 0 {label}")
        elif name not in ("<eps>", "<blank>"):
            lines += [f"0 {state} {label} {label}", f"{state} {state} {label} 0", f"{state} 0 0 0"]
    return "\n".join([*lines, "0"]) + "\n"


def _lexicon_lines(
    lexicon: dict[str, str], labels: dict[str, int], word_labels: dict[str, int]
) -> str:
    lines, following = [f"0 0 {labels['#0']} {word_labels['#0']}"], 1
    for word, spelling in lexicon.items():
        pieces = spelling.split()
        others = [o.split() for w, o in lexicon.items() if w != word]
        if any(other[: len(pieces)] == pieces for other in others):
            pieces.append("#1")
        state = 0
        for index, piece in enumerate(pieces):
            target = 0 if index == len(pieces) - 1 else following
            following += target != 0
            lines.append(f"{state} {target} {labels[piece]} {word_labels[word] * (index == 0)}")
            state = target
    return "\n".join([*lines, "0"]) + "\n"


def _grammar_lines(word_labels: dict[str, int], probs: Probs, pairs: Pairs) -> str:
    """State 0 after a back-off, one for each word that pairs begin with; all may end."""
    states = {word: 1 + i for i, word in enumerate(dict.fromkeys(first for first, _ in pairs))}
    lines = []
    for word, prob in probs.items():
        if word not in word_labels:
            continue
        label = word_labels[word]
        lines.append(f"0 {states.get(word, 0)} {label} {label} {-math.log(prob)}")
    for (first, second), prob in pairs.items():
        label = word_labels[second]
        lines.append(f"{states[first]} {states.get(second, 0)} {label} {label} {-math.log(prob)}")
    for state in states.values():
        lines.append(f"{state} 0 {word_labels['#0']} 0 {-math.log(0.3)}")
        lines.append(f"{state} 0.5")
    return "\n".join([*lines, "0 0.5"]) + "\n"
