"""Makes sentences with times of what the recogniser answered for each segment."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from asr_contract import UNSPACED, is_doubtful

from ..confidence import geometric_mean
from ..results import FileSummary, FileTranscript, Sentence, Transcript, Word
from ..text.alignment import align_words, text_units
from ..text.itn import normalize_numbers
from .punctuation import PunctuatedSentence

# A sentence without an end is finished by so long a pause, or when it has so many words.
LONGEST_PAUSE_MS = 2_000
LONGEST_SENTENCE = 200

# CTC says where a character is heard best, not where it ends; BiCif Paraformer spreads the last one
# over the silence behind it. The VAD knows better where speech ended, unless the word ended so much
# earlier that it was not the last sound.
LONGEST_EXTENSION_MS = 300

# A mark that ends a sentence, with the quotes and brackets that it closes. An ASCII full stop
# needs a space behind it (3.5, example.com).
_SENTENCE_END = re.compile(r"[。？！…]+[”’」』》）\"']*|[.?!]+[”’\"')]*(?=\s|$)")
_ABBREVIATION = re.compile(r"(?:^|\W)(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|vs|No|e\.g|i\.e)\.$")

# Scripts written without spaces between words, and their marks.
_UNSPACED_CHARACTER = re.compile(rf"[{UNSPACED}\u3000-\u303f\uff00-\uffef“”‘’…]")

Punctuate = Callable[[str], Awaitable[Sequence[PunctuatedSentence]]]


@dataclass(frozen=True)
class RecognisedSegment:
    """What was recognised in a segment of a file.

    Attributes:
        text: not empty.
        words: its words, or characters, with times in ms of the file.
        timed: whether the model gave the times; else they are spread over the segment.
        language, emotion, event: None when the model does not tell.
        model: name of the Triton model that heard it.
    """

    text: str
    words: list[Word]
    timed: bool
    language: str | None = None
    emotion: str | None = None
    event: str | None = None
    model: str = ""


def recognised_segment(
    transcript: Transcript, start_ms: int, end_ms: int, speech_end_ms: int | None = None
) -> RecognisedSegment | None:
    """Place a segment's transcript in the file; None if nothing was said.

    Args:
        transcript: of the segment.
        start_ms: where it begins.
        end_ms: where it ends.
        speech_end_ms: where speech ended in it; None to believe the recogniser's last word.
    """
    text = transcript.text.strip()
    if not text_units(text):
        return None
    tags = transcript.language, transcript.emotion, transcript.event, transcript.model
    times = transcript.timestamps_ms
    confidences: Sequence[float | None] = transcript.confidence or [None] * len(transcript.tokens)
    words: list[Word] = []
    if transcript.tokens and times is not None:
        latest_ms = start_ms
        for token, (begin, end), confidence in zip(
            transcript.tokens, times, confidences, strict=True
        ):
            begin_ms = min(max(start_ms + begin, latest_ms), end_ms)
            latest_ms = min(max(start_ms + end, begin_ms), end_ms)
            words.append(Word(token, begin_ms, latest_ms, confidence))
    audible = [index for index, word in enumerate(words) if text_units(word.text)]
    if audible:
        if speech_end_ms is not None:
            words = _ended(words, audible[-1], speech_end_ms)
        return RecognisedSegment(text, words, True, *tags)
    whole = Word(text, start_ms, end_ms, geometric_mean(confidences))
    return RecognisedSegment(text, align_words([whole], text), False, *tags)  # time shared evenly


def _ended(words: list[Word], last: int, speech_end_ms: int) -> list[Word]:
    """Let a segment's last word, which marks may follow, end with the speech."""
    word = words[last]
    end_ms = max(min(speech_end_ms, word.end_ms + LONGEST_EXTENSION_MS), word.start_ms)
    marks = [Word(mark.text, end_ms, end_ms) for mark in words[last + 1 :]]
    return [*words[:last], replace(word, end_ms=end_ms), *marks]


def join_texts(texts: Sequence[str]) -> str:
    """Join texts, with a space where the script has them."""
    parts: list[str] = []
    for text in filter(None, texts):
        if parts and not any(map(_UNSPACED_CHARACTER.match, (parts[-1][-1], text[0]))):
            parts.append(" ")
        parts.append(text)
    return "".join(parts)


def whole_transcript(sentences: list[Sentence], summary: FileSummary) -> FileTranscript:
    """Return the transcript of a file of which these are all sentences."""
    text = join_texts([sentence.text for sentence in sentences])
    return FileTranscript(text, sentences, summary)


def split_sentences(text: str) -> list[str]:
    """Split a text behind the marks that end a sentence."""
    sentences: list[str] = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
        sentence = text[start : match.end()].strip()
        if match[0].startswith(".") and _ABBREVIATION.search(sentence):
            continue
        if text_units(sentence):
            sentences.append(sentence)
            start = match.end()
    rest = text[start:].strip()
    if text_units(rest):
        sentences.append(rest)
    elif sentences:
        sentences[-1] += rest
    return sentences


class SentenceMaker:
    """Turns segments, in order, into sentences.

    With `punctuate` a sentence may go on in the next segment: the text after the last mark that
    ends a sentence waits for what follows and is punctuated with it, as FunASR does within one
    text. A long pause, and the end, finish it.

    Args:
        punctuate: text to sentences with marks; None if the text has them, or is to have none.
        itn: the language whose numbers become figures; None to leave them.
        timestamps: whether sentences have words.
    """

    def __init__(self, punctuate: Punctuate | None, itn: str | None, timestamps: bool) -> None:
        self._punctuate = punctuate
        self._itn = itn
        self._timestamps = timestamps
        self._open: RecognisedSegment | None = None  # of a sentence without end, without marks
        self._open_text = ""  # the same with marks, as if it ended

    @property
    def open_start_ms(self) -> int | None:
        """Where the sentence without an end begins; None if there is none."""
        return None if self._open is None else self._open.words[0].start_ms

    @property
    def open_end_ms(self) -> int | None:
        """Where its last word ends; None if there is none."""
        return None if self._open is None else self._open.words[-1].end_ms

    async def accept(self, spoken: RecognisedSegment) -> list[Sentence]:
        """Take the next segment; return the sentences that ended."""
        if self._punctuate is None:
            return await self._finished(spoken, split_sentences(spoken.text))
        sentences: list[Sentence] = []
        if self._open is not None:
            pause_ms = spoken.words[0].start_ms - self._open.words[-1].end_ms
            if pause_ms > LONGEST_PAUSE_MS or len(self._open.words) > LONGEST_SENTENCE:
                sentences = await self.finish()
            else:
                spoken = _joined(self._open, spoken)
        punctuated = await self._punctuate(spoken.text)
        *complete, last = punctuated
        letters = sum(sentence.letters for sentence in complete)
        units = align_words(spoken.words, join_texts([each.text for each in punctuated]))
        done = sum(len(text_units(sentence.text)) for sentence in complete)
        head = replace(spoken, words=units[:done])
        self._open = replace(spoken, text=_behind(spoken.text, letters), words=units[done:])
        self._open_text = last.text
        return sentences + await self._finished(head, [sentence.text for sentence in complete])

    async def finish(self) -> list[Sentence]:
        """Return what was still open."""
        spoken, self._open = self._open, None
        return [] if spoken is None else await self._finished(spoken, [self._open_text])

    async def _finished(self, spoken: RecognisedSegment, texts: Sequence[str]) -> list[Sentence]:
        # In a thread: texts without marks make long alignments.
        return await asyncio.to_thread(
            timed_sentences, spoken, texts, itn=self._itn, timestamps=self._timestamps
        )


def timed_sentences(
    spoken: RecognisedSegment,
    texts: Sequence[str],
    *,
    itn: str | None = None,
    timestamps: bool = True,
) -> list[Sentence]:
    """Give each sentence of what was spoken its times, its figures and its words.

    Args:
        spoken: one or more segments.
        texts: the sentences; together they are `spoken.text`, with marks or without.
        itn: the language whose numbers become figures; None to leave them.
        timestamps: whether the sentences have words.
    """
    units = align_words(spoken.words, join_texts(texts))
    sentences: list[Sentence] = []
    for text in texts:
        count = len(text_units(text))
        words, units = units[:count], units[count:]
        if not words:
            continue
        written = text if itn is None else normalize_numbers(text, itn)
        own = align_words(words, written) if timestamps and spoken.timed else []
        start_ms, end_ms = words[0].start_ms, words[-1].end_ms
        confidence = geometric_mean([word.confidence for word in words])
        tags = spoken.language, spoken.emotion, spoken.event
        doubtful = is_doubtful(confidence, spoken.model)
        sentences.append(
            Sentence(written, start_ms, end_ms, own, *tags, confidence, doubtful=doubtful)
        )
    return sentences


def _joined(first: RecognisedSegment, second: RecognisedSegment) -> RecognisedSegment:
    """Join what was said in two segments."""
    return replace(
        second,
        text=join_texts([first.text, second.text]),
        words=first.words + second.words,
        timed=first.timed and second.timed,
    )


def _behind(text: str, letters: int) -> str:
    """Return the text behind the first characters, spaces not counted."""
    for position, character in enumerate(text):
        if letters == 0 and not character.isspace():
            return text[position:]
        letters -= not character.isspace()
    return ""
