"""SenseVoice: the ids of its prompts, and its CTC frames to tags, text and words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr_contract import LANGUAGE_IDS, TEXT_NORM_IDS
from asr_contract.tensors import LANGUAGE, TEXT_NORM
from asr_core.decoding import (
    SPACE_MARK,
    Decoder,
    HotwordSettings,
    RowSearch,
    SentencePieceSpeller,
    load_decoder,
    search_frames,
)
from asr_core.sensevoice.ctc import CtcToken, collapse, greedy_search
from asr_core.sensevoice.language import heard_language
from asr_core.text import DecodedWord, ctc_span_ms, merge_words

NUM_TAG_FRAMES = 4  # language, emotion, event and text norm, one frame each before the audio
TOKENIZER_NAME = "chn_jpn_yue_eng_ko_spectok.bpe.model"

_TAG = re.compile(r"<\|(.*?)\|>")


class SenseVoiceOutputs(NamedTuple):
    """What the prepared encoder graph gives for R recordings, named as its outputs.

    Attributes:
        token_ids: int32 [R, 4 + T], best id of each frame.
        token_scores: float32 [R, 4 + T], their log-probabilities.
        encoder_out_lens: int32 [R] or [R, 1], frames of each row, those of the tags included.
        candidate_ids: int32 [R, 4 + T, K], best ids of each frame, the best first.
        candidate_scores: float32 [R, 4 + T, K], their log-probabilities.
    """

    token_ids: NDArray[np.int32]
    token_scores: NDArray[np.float32]
    encoder_out_lens: NDArray[np.int32]
    candidate_ids: NDArray[np.int32]
    candidate_scores: NDArray[np.float32]

    def rows(
        self, search: RowSearch | None
    ) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float32]]]:
        """Yield each row's ids, int32 [4 + T_i], and their log-probabilities, float32 [4 + T_i].

        The padding that batching added is cut off.

        Args:
            search: finds the path through the audio's frames; None takes the best of each.
        """
        for row, frames in enumerate(self.encoder_out_lens.ravel().tolist()):
            ids, scores = self.token_ids[row, :frames], self.token_scores[row, :frames]
            if search is not None and frames > NUM_TAG_FRAMES:
                heard = slice(NUM_TAG_FRAMES, frames)
                found = search(self.candidate_ids[row, heard], self.candidate_scores[row, heard])
                ids = np.concatenate([ids[:NUM_TAG_FRAMES], found[0]])
                scores = np.concatenate([scores[:NUM_TAG_FRAMES], found[1]])
            yield ids, scores


@dataclass(frozen=True)
class SenseVoiceResult:
    """What SenseVoice says of one recording.

    Attributes:
        transcript: all frames collapsed, tags in the text, as `funasr_onnx` writes it.
        text: the audio's frames alone, without tags.
        language: that was heard, `heard_language`; of one row without candidates the first tag.
        emotion, event: second and third tag without their brackets, '' where a frame holds no tag.
        words: words and characters of the text with times.
    """

    transcript: str
    text: str
    language: str
    emotion: str
    event: str
    words: list[DecodedWord]


EMPTY_RESULT = SenseVoiceResult("", "", "", "", "", [])


def strip_tags(text: str) -> str:
    """Return a transcript without its tags."""
    return _TAG.sub("", text).strip()


def check_prompt_ids(
    language: NDArray[np.int32], text_norm: NDArray[np.int32], num_rows: int
) -> None:
    """Refuse ids that the model has no embedding for.

    Args:
        language: int32 [R, 1].
        text_norm: int32 [R, 1].
        num_rows: R, as given by the audio.

    Raises:
        ValueError: an id is unknown, or the number of rows differs.
    """
    for name, values, known in (
        (LANGUAGE, language, LANGUAGE_IDS),
        (TEXT_NORM, text_norm, TEXT_NORM_IDS),
    ):
        if values.shape != (num_rows, 1):
            raise ValueError(f"{name}: expected shape [{num_rows}, 1], got {list(values.shape)}")
        for value in values[:, 0].tolist():
            if value not in known.values():
                listing = ", ".join(f"{number} ({word})" for word, number in known.items())
                raise ValueError(f"{name}: expected one of {listing}, got {value}")


class SenseVoiceScoring:
    """Tags, text and words of SenseVoice's best token ids per frame.

    Args:
        tokenizer_path: the SentencePiece model.

    Raises:
        OSError, RuntimeError: there is no such file, or it is not a SentencePiece model (which of
            the two depends on the version of `sentencepiece`).
    """

    def __init__(self, tokenizer_path: Path) -> None:
        import sentencepiece  # only who scores needs it

        self._tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer_path))
        # Read once: asking the tokenizer for each token takes longer than scoring it.
        ids = [*range(self._tokenizer.get_piece_size())]
        self._pieces: list[str] = self._tokenizer.id_to_piece(ids)
        self._tags = frozenset(number for number in ids if _TAG.search(self._pieces[number]))

    @property
    def tokenizer(self) -> Any:
        """The SentencePiece model."""
        return self._tokenizer

    @property
    def pieces(self) -> list[str]:
        """The vocabulary, id to piece."""
        return self._pieces

    @property
    def tag_ids(self) -> frozenset[int]:
        """The ids of tags, which are no text."""
        return self._tags

    def decoder(self, model_dir: Path, settings: HotwordSettings) -> Decoder:
        """Build what searches for words among the candidates.

        Args:
            model_dir: a version's folder.
            settings: of the hotwords.

        Raises:
            ValueError: a file is not what it should be.
        """
        spell = SentencePieceSpeller(self._tokenizer)
        return load_decoder(model_dir, search_frames, self._tags, spell, settings, self._pieces)

    def __call__(
        self, best_ids: NDArray[np.int32], best_log_probs: NDArray[np.float32]
    ) -> SenseVoiceResult:
        """Decode one row.

        Args:
            best_ids: integer [4 + T], best id of each frame, cut to the row's own length.
            best_log_probs: float32 [4 + T].
        """
        spoken = greedy_search(best_ids[NUM_TAG_FRAMES:], best_log_probs[NUM_TAG_FRAMES:])
        heard = [token.token_id for token in spoken]
        language, emotion, event = (self._tag(token) for token in best_ids[:3].tolist())
        return SenseVoiceResult(
            transcript=self._tokenizer.decode(collapse(best_ids)),
            text=strip_tags(self._tokenizer.decode(heard)),
            language=language,
            emotion=emotion,
            event=event,
            words=self._words(spoken, len(best_ids) - NUM_TAG_FRAMES),
        )

    def score_rows(
        self, outputs: SenseVoiceOutputs, search: RowSearch | None = None
    ) -> list[SenseVoiceResult]:
        """Decode a batch, each row by itself.

        The result of a row without audio is empty: its tag frames alone would decode to tags of
        nothing.

        Args:
            outputs: of R rows.
            search: finds the tokens among the candidates; None takes the best of each frame.
        """
        tags = zip(outputs.candidate_ids, outputs.candidate_scores, strict=True)
        return [
            self._of_heard_language(self(ids, scores), *(first[0].tolist() for first in candidates))
            if len(ids) > NUM_TAG_FRAMES
            else EMPTY_RESULT
            for (ids, scores), candidates in zip(outputs.rows(search), tags, strict=True)
        ]

    def _of_heard_language(
        self, result: SenseVoiceResult, ids: Sequence[int], log_probs: Sequence[float]
    ) -> SenseVoiceResult:
        """Return a result with the language that the tag frame's candidates and its text say."""
        tags = dict(zip(map(self._tag, ids), log_probs, strict=True))
        return replace(result, language=heard_language(tags, result.text))

    def _tag(self, token_id: int) -> str:
        match = _TAG.fullmatch(self._pieces[token_id].removeprefix(SPACE_MARK))
        return match[1] if match else ""

    def _words(self, tokens: Sequence[CtcToken], num_frames: int) -> list[DecodedWord]:
        pieces = [
            DecodedWord(
                self._pieces[token.token_id],
                *ctc_span_ms(token.start_frame, token.end_frame, num_frames),
                token.log_prob,
            )
            for token in tokens
            if token.token_id not in self._tags
        ]
        return join_sentencepieces(pieces)


def join_sentencepieces(pieces: Sequence[DecodedWord]) -> list[DecodedWord]:
    """Join pieces into words: ASCII letters that follow letters without a space between.

    Source: FunASR `funasr/models/sense_voice/model.py`, `post`, with one difference: a lone space
    mark ends a word there only if the next piece brings its own.
    """
    words: list[DecodedWord] = []
    starts_word = True
    for piece in pieces:
        starts_word |= piece.text.startswith(SPACE_MARK)
        text = piece.text.removeprefix(SPACE_MARK)
        if not text:
            continue
        if not starts_word and _is_ascii_word(text) and _is_ascii_word(words[-1].text):
            words[-1] = merge_words([words[-1], piece], words[-1].text + text)
        else:
            words.append(piece if text == piece.text else replace(piece, text=text))
        starts_word = False
    return words


def _is_ascii_word(text: str) -> bool:
    return text.isascii() and text.isalpha()
