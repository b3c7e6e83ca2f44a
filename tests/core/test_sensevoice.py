"""SenseVoice's tags, text and words."""

from pathlib import Path

import numpy as np
import pytest
import sentencepiece

from asr_core.sensevoice import SenseVoiceScoring
from asr_core.sensevoice.scoring import join_sentencepieces
from asr_core.text import DecodedWord

TAGS = ["<|zh|>", "<|en|>", "<|NEUTRAL|>", "<|Speech|>", "<|woitn|>"]


@pytest.fixture(scope="module")
def tokenizer_path(tmp_path_factory):
    """A SentencePiece model with the tags as pieces, id 0 for the blank."""
    folder = tmp_path_factory.mktemp("tokenizer")
    text = folder / "text.txt"
    text.write_text("hello world good morning\n你 好 世 界\n" * 20, encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "model"),
        vocab_size=60,
        hard_vocab_limit=False,
        pad_id=0,
        pad_piece="<blank>",
        bos_id=1,
        eos_id=2,
        unk_id=3,
        user_defined_symbols=TAGS,
        minloglevel=2,
    )
    return folder / "model.model"


@pytest.fixture(scope="module")
def ids_of(tokenizer_path):
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer_path))

    def convert(*pieces):
        ids = [tokenizer.piece_to_id(piece) for piece in pieces]
        assert tokenizer.unk_id() not in ids, pieces
        return ids

    return convert


@pytest.fixture(scope="module")
def score(tokenizer_path):
    scoring = SenseVoiceScoring(tokenizer_path)
    return lambda ids: scoring(np.array(ids, np.int32), np.full(len(ids), -0.5, np.float32))


def test_tags_are_read_from_their_frames_and_text_from_the_rest(score, ids_of):
    ids = ids_of("<|zh|>", "<|NEUTRAL|>", "<|Speech|>", "<|woitn|>")
    result = score([*ids, 0, *ids_of("你"), 0, *ids_of("好", "好"), 0])
    assert (result.language, result.emotion, result.event) == ("zh", "NEUTRAL", "Speech")
    assert result.text == "你好"
    assert result.transcript.replace(" ", "") == "<|zh|><|NEUTRAL|><|Speech|><|woitn|>你好"
    assert [word.text for word in result.words] == ["你", "好"]
    # Frames 1 and 3 to 5 of the audio, half a frame early.
    assert [(w.start_ms, w.end_ms) for w in result.words] == [(30, 90), (150, 270)]


def test_a_blank_among_the_tag_frames_shifts_nothing(score, ids_of):
    result = score([0, *ids_of("<|NEUTRAL|>", "<|Speech|>", "<|woitn|>", "你")])
    assert (result.language, result.emotion, result.event) == ("", "NEUTRAL", "Speech")
    assert result.text == "你"


def test_a_tag_inside_the_audio_is_kept_out_of_the_text(score, ids_of):
    tags = ids_of("<|zh|>", "<|NEUTRAL|>", "<|Speech|>", "<|woitn|>")
    result = score([*tags, *ids_of("你", "<|en|>", "好")])
    assert result.text == "你好"
    assert "<|en|>" in result.transcript
    assert [word.text for word in result.words] == ["你", "好"]


def test_no_speech_gives_no_words(score, ids_of):
    result = score([*ids_of("<|zh|>", "<|NEUTRAL|>", "<|Speech|>", "<|woitn|>"), 0, 0])
    assert result.text == ""
    assert result.words == []


def test_missing_tokenizer_is_named(tmp_path):
    with pytest.raises((OSError, RuntimeError), match="nowhere"):
        SenseVoiceScoring(Path(tmp_path / "nowhere.model"))


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        (["▁hel", "lo", "▁wor", "ld"], ["hello", "world"]),
        (["▁", "hel", "lo"], ["hello"]),
        (["▁a", "▁", "b"], ["a", "b"]),
        (["你", "好"], ["你", "好"]),
        (["▁ok", "你", "ok"], ["ok", "你", "ok"]),
        (["▁1", "2"], ["1", "2"]),
        ([], []),
    ],
)
def test_ascii_pieces_without_a_space_between_are_one_word(pieces, words):
    timed = [DecodedWord(piece, 60 * i, 60 * i + 60, -1.0) for i, piece in enumerate(pieces)]
    joined = join_sentencepieces(timed)
    assert [word.text for word in joined] == words
    if joined:
        assert joined[0].start_ms == 60 * (pieces[0] == "▁")
        assert joined[-1].end_ms == 60 * len(pieces)
