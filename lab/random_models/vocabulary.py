"""Vocabularies in the shape of the published ones: Paraformer's token list, SenseVoice's BPE."""

from __future__ import annotations

import io
import string
import struct
from collections.abc import Iterator

import sentencepiece

# Everyday characters first, so that small vocabularies hold real words; then Unicode's own order.
_COMMON_CHARACTERS = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过"
    "子说产种面而方后多定行学法所民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体"
)
# `@@` marks a piece that the next one continues.
_ENGLISH_TEXT = (
    "hel@@ lo wor@@ ld th@@ ing ser@@ ver tri@@ ton sp@@ ee@@ ch re@@ cog@@ ni@@ tion the and of "
    "to you is good morn@@ ing@@ s in@@ fer@@ ence ba@@ tch str@@ eam@@ er"
)
_ENGLISH_PIECES = list(dict.fromkeys(_ENGLISH_TEXT.split()))

_LANGUAGES = ("zh", "en", "yue", "ja", "ko", "nospeech")
_EMOTIONS = ("HAPPY", "SAD", "ANGRY", "NEUTRAL", "FEARFUL", "DISGUSTED", "SURPRISED", "EMO_UNKNOWN")
_EVENTS = ("Speech", "BGM", "Applause", "Laughter", "Cry", "Event_UNK")
_TEXT_NORM = ("withitn", "woitn")
# Ids of the published vocabulary that FunASR's code knows by number.
_PUBLISHED_TAG_IDS = {
    "zh": 24884,
    "en": 24885,
    "yue": 24888,
    "ja": 24892,
    "ko": 24896,
    "nospeech": 24992,
    "Speech": 24993,
    "BGM": 24995,
    "Laughter": 24997,
    "Applause": 24999,
    "HAPPY": 25001,
    "SAD": 25002,
    "ANGRY": 25003,
    "NEUTRAL": 25004,
    "EMO_UNKNOWN": 25009,
    "withitn": 25016,
    "woitn": 25017,
}
_FIRST_TAG_ID = 24884
_TRAINED_PIECES = 220  # of a full-size SentencePiece model; the rest is filled up
_NORMAL, _USER_DEFINED = 1, 4  # `SentencePiece.Type`

_TRAINING_TEXT = (
    "今天天气很好我们去学校学习语音识别",
    "你好世界这是一个测试请说普通话",
    "今日天氣好好我哋一齊去飲茶喇係咪呀",
    "こんにちは世界きょうはいい天気ですねテストです",
    "안녕하세요 세계 오늘은 날씨가 좋아요 시험",
    "hello world this is a test of the speech server",
    "good morning the streaming model is on the air",
    "one two three four five 1 2 3 4 5 6 7 8 9 0",
)


def paraformer_tokens(size: int) -> list[str]:
    """Return `size` pieces: `<blank>`, `<s>`, `</s>`, characters and pieces mixed, `<unk>` last.

    Raises:
        ValueError: `size` is too small to hold a piece of each sort.
    """
    smallest = 3 + len(_ENGLISH_PIECES) + 10 + 5 + 1
    if size < smallest:
        raise ValueError(f"vocabulary size: expected at least {smallest}, got {size}")
    pieces = _ENGLISH_PIECES + list(string.digits)
    letters = string.ascii_lowercase[: max(5, min(26, size // 8))]
    pieces += [letter for letter in letters if letter not in pieces]
    characters = chinese_characters()
    while len(pieces) < size - 4:
        pieces.append(next(characters))
    return ["<blank>", "<s>", "</s>", *pieces[: size - 4], "<unk>"]


def sensevoice_tokenizer(size: int) -> bytes:
    """Return a SentencePiece model of exactly `size` pieces, tags included, as file content.

    Up to a few hundred pieces it is trained on a few made sentences; beyond, it is filled up with
    characters, and the tags take the ids of the published vocabulary where they fit.

    Raises:
        RuntimeError: SentencePiece cannot make so few pieces of its text.
    """
    if size < _FIRST_TAG_ID:
        return _train(size)
    content = _train(_TRAINED_PIECES, tags=())
    trained = sentencepiece.SentencePieceProcessor(model_proto=content)
    known = {trained.id_to_piece(number) for number in range(_TRAINED_PIECES)}
    others = (character for character in chinese_characters() if character not in known)
    names = {number: name for name, number in _PUBLISHED_TAG_IDS.items()}
    for number in range(_TRAINED_PIECES, size):
        if number < _FIRST_TAG_ID:
            content += _encoded_piece(next(others), -float(number), _NORMAL)
        else:
            tag = f"<|{names.get(number, f'SPECIAL_{number}')}|>"
            content += _encoded_piece(tag, 0.0, _USER_DEFINED)
    return content


def _encoded_piece(piece: str, score: float, kind: int) -> bytes:
    """Encode one entry of `ModelProto.pieces`, to be appended to an encoded model.

    SentencePiece's own message classes need a protobuf run time as new as the one they were
    generated with, which other packages may not allow.
    """
    text = piece.encode()
    message = b"\x0a" + bytes([len(text)]) + text  # 1: piece
    message += b"\x15" + struct.pack("<f", score)  # 2: score
    message += b"\x18" + bytes([kind])  # 3: type
    return b"\x0a" + bytes([len(message)]) + message


def _train(
    size: int, tags: tuple[str, ...] = (*_LANGUAGES, *_EMOTIONS, *_EVENTS, *_TEXT_NORM)
) -> bytes:
    target = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_text_of(3 * (size - len(tags) - 3) // 4)),
        model_writer=target,
        model_type="bpe",
        vocab_size=size,
        character_coverage=1.0,
        user_defined_symbols=[f"<|{tag}|>" for tag in tags],
        normalization_rule_name="identity",  # the default table alone weighs 240 kB
        minloglevel=2,
    )
    return target.getvalue()


def _text_of(num_characters: int) -> list[str]:
    """Shorten the sentences until they hold at most `num_characters` different characters."""
    length = max(map(len, _TRAINING_TEXT))
    while len(set("".join(text[:length] for text in _TRAINING_TEXT))) > num_characters:
        length -= 1
    return [text[:length] for text in _TRAINING_TEXT]


def chinese_characters() -> Iterator[str]:
    """Everyday characters, then all others in the order of Unicode, then Hangul."""
    seen = set(_COMMON_CHARACTERS)
    yield from dict.fromkeys(_COMMON_CHARACTERS)
    for first, last in ((0x4E00, 0x9FFF), (0xAC00, 0xD7A3)):
        for code in range(first, last + 1):
            if chr(code) not in seen:
                yield chr(code)
