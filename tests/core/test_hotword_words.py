"""A hotword is a whole word: not a part of a longer one of letters or figures."""

from __future__ import annotations

import io

import pytest
import sentencepiece

from asr_core.decoding import HotwordLists, PieceSpeller, SentencePieceSpeller, Speller

PIECES = ["<blank>", "<s>", "</s>", "play", "play@@", "ing", "re@@", "打", "开", "a", "i"]


@pytest.fixture(scope="module")
def tokenizer() -> sentencepiece.SentencePieceProcessor:
    """Pieces `▁play`, `play` and `ing` among others, as a large SenseVoice has them."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["play playing 打开play", "play replay ing 打开", "play's 5g"] * 50),
        model_writer=model,
        vocab_size=40,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def earned(spell: Speller, hotword: str, ids: list[int]) -> float:
    """Return what a text earns by one hotword."""
    scorer = HotwordLists(spell).scorer(hotword)
    assert scorer is not None
    state, total = scorer.begin(), 0.0
    for token in ids:
        state, added = scorer.score(state, token)
        total += added
    return round(total + scorer.end(state), 6)


@pytest.mark.parametrize(
    ("hotword", "text", "found"),
    [
        ("play", ["play"], True),
        ("play", ["打", "开", "play", "打"], True),
        ("play", ["play@@", "ing"], False),
        ("ing", ["play@@", "ing"], False),
        ("play", ["re@@", "play"], False),
        ("playing", ["play@@", "ing", "打"], True),
        ("打开", ["play", "打", "开", "play"], True),
        ("ai", ["打", "a", "i"], True),
    ],
)
def test_paraformers_pieces(hotword: str, text: list[str], found: bool) -> None:
    ids = [PIECES.index(piece) for piece in text]
    assert (earned(PieceSpeller(PIECES), hotword, ids) > 0) is found


@pytest.mark.parametrize(
    ("hotword", "text", "found"),
    [
        ("play", "play", True),
        ("play", "play play's 打开", True),
        ("play", "打开 play", True),
        ("play", "playing", False),
        ("play", "replay", False),
        ("5", "5g", False),
        ("5g", "play 5g", True),
        ("打开", "play打开play", True),
    ],
)
def test_sensevoices_pieces(
    tokenizer: sentencepiece.SentencePieceProcessor, hotword: str, text: str, found: bool
) -> None:
    spell = SentencePieceSpeller(tokenizer)
    assert (earned(spell, hotword, tokenizer.encode(text)) > 0) is found
