"""SenseVoice's small vocabulary: tags, digits, marks, characters and words as one model.

The SentencePiece model is written piece by piece rather than trained: characters for
Mandarin, Cantonese and Japanese, whole words for English and Korean.
"""

from __future__ import annotations

import struct
from pathlib import Path

import sentencepiece

from . import corpus_multilingual, corpus_zh

LANGUAGE_TAGS = ("<|zh|>", "<|en|>", "<|yue|>", "<|ja|>", "<|ko|>", "<|nospeech|>")
EMOTION_TAGS = (
    "<|HAPPY|>", "<|SAD|>", "<|ANGRY|>", "<|NEUTRAL|>", "<|FEARFUL|>", "<|DISGUSTED|>",
    "<|SURPRISED|>", "<|EMO_UNKNOWN|>",
)  # fmt: skip
EVENT_TAGS = (
    "<|Speech|>", "<|BGM|>", "<|Applause|>", "<|Laughter|>", "<|Cry|>", "<|Sneeze|>",
    "<|Breath|>", "<|Cough|>", "<|Event_UNK|>",
)  # fmt: skip
TEXTNORM_TAGS = ("<|withitn|>", "<|woitn|>")
TAGS = LANGUAGE_TAGS + EMOTION_TAGS + EVENT_TAGS + TEXTNORM_TAGS
SPACED_LANGUAGES = ("en", "ko")
SPACE = "▁"
MARKS = "，、。？,.?%-"
BLANK = 0
LANGUAGE_EMBEDDING = {"zh": 3, "en": 4, "yue": 7, "ja": 11, "ko": 12, "nospeech": 13}
TEXTNORM_EMBEDDING = {"withitn": 14, "woitn": 15}
"""Rows of the query embedding, as in the original SenseVoiceSmall (0 is "auto")."""

_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED = 1, 2, 3, 4
_UNIGRAM = 1


def sensevoice_pieces() -> list[str]:
    """All pieces in order; 0 doubles as the CTC blank."""
    characters: set[str] = set(corpus_zh.vocabulary())
    for language in ("yue", "ja"):
        characters.update(corpus_multilingual.vocabulary(language))
    words = [
        SPACE + word
        for language in SPACED_LANGUAGES
        for word in corpus_multilingual.vocabulary(language)
    ]
    digits = [str(d) for d in range(10)]
    return [
        "<unk>", "<s>", "</s>", *TAGS, SPACE, *digits, *(SPACE + d for d in digits), *MARKS,
        *sorted(characters), *words,
    ]  # fmt: skip


def _varint(value: int) -> bytes:
    """Protocol Buffers' base 128; negative numbers as 64 bits."""
    value &= (1 << 64) - 1
    encoded = b""
    while value > 127:
        encoded += bytes([value & 127 | 128])
        value >>= 7
    return encoded + bytes([value])


def _field(number: int, value: int | float | bytes) -> bytes:
    """One field of a message: a number, a float32 or something with a length."""
    if isinstance(value, bytes):
        return _varint(number << 3 | 2) + _varint(len(value)) + value
    if isinstance(value, float):
        return _varint(number << 3 | 5) + struct.pack("<f", value)
    return _varint(number << 3) + _varint(value)


def write_sentencepiece_model(path: Path) -> None:
    """Writes a unigram model whose pieces are `sensevoice_pieces`, equal scores.

    Encoded here by sentencepiece_model.proto's field numbers: SentencePiece's own message classes
    need a newer protobuf than other packages allow.
    """
    pieces = sensevoice_pieces()
    content = b""
    for index, text in enumerate(pieces):
        kind = _NORMAL
        if index == BLANK:
            kind = _UNKNOWN
        elif index < 3:
            kind = _CONTROL
        elif text in TAGS:
            kind = _USER_DEFINED
        content += _field(1, _field(1, text.encode()) + _field(2, -1.0) + _field(3, kind))
    trainer = _field(3, _UNIGRAM) + _field(4, len(pieces))
    for number, token in ((40, 0), (41, 1), (42, 2), (43, -1)):  # unknown, begin, end, padding
        trainer += _field(number, token)
    normaliser = _field(1, b"identity") + _field(3, 1) + _field(4, 1)  # prefix, one space
    path.write_bytes(content + _field(2, trainer) + _field(3, normaliser))


class SenseVoiceTokenizer:
    """Text to piece ids and back, without the lone space piece before Chinese or Japanese."""

    def __init__(self, path: Path) -> None:
        self._model = sentencepiece.SentencePieceProcessor(model_file=str(path))
        self.size = self._model.get_piece_size()

    def tag(self, name: str) -> int:
        """Id of a tag such as "zh" or "woitn"."""
        return int(self._model.piece_to_id(f"<|{name}|>"))

    def encode(self, text: str, language: str) -> list[int]:
        """Piece ids of `text`; characters outside the vocabulary become <unk> (0)."""
        if language in SPACED_LANGUAGES:
            return [int(i) for i in self._model.encode(text)]
        return [int(self._model.piece_to_id(character)) for character in text]

    def decode(self, ids: list[int]) -> str:
        """Text of piece ids, tags included, spaces as the model has them."""
        return "".join(self._model.id_to_piece(i) for i in ids).replace(SPACE, " ").strip()

    def language_embeddings(self) -> dict[int, int]:
        """FunASR's lid_int_dict: language tag id to embedding row."""
        return {self.tag(name): row for name, row in LANGUAGE_EMBEDDING.items()}

    def textnorm_embeddings(self) -> dict[int, int]:
        """FunASR's textnorm_int_dict: ITN tag id to embedding row."""
        return {self.tag(name): row for name, row in TEXTNORM_EMBEDDING.items()}
