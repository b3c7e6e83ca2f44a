"""SenseVoice's small vocabulary: tags, digits, marks, characters and words as one model.

The SentencePiece model is written piece by piece rather than trained: characters for
Mandarin, Cantonese and Japanese, whole words for English and Korean.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

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

_proto: Any = import_module("sentencepiece.sentencepiece_model_pb2")
_Piece = _proto.ModelProto.SentencePiece


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


def write_sentencepiece_model(path: Path) -> None:
    """Writes a unigram model whose pieces are `sensevoice_pieces`, equal scores."""
    model = _proto.ModelProto()
    for index, text in enumerate(sensevoice_pieces()):
        kind = _Piece.NORMAL
        if index == BLANK:
            kind = _Piece.UNKNOWN
        elif index < 3:
            kind = _Piece.CONTROL
        elif text in TAGS:
            kind = _Piece.USER_DEFINED
        model.pieces.add(piece=text, score=-1.0, type=kind)
    model.trainer_spec.model_type = _proto.TrainerSpec.UNIGRAM
    model.trainer_spec.vocab_size = len(model.pieces)
    model.trainer_spec.unk_id, model.trainer_spec.bos_id = 0, 1
    model.trainer_spec.eos_id, model.trainer_spec.pad_id = 2, -1
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.remove_extra_whitespaces = True
    path.write_bytes(model.SerializeToString())


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
