"""Passages of several sentences with the mark behind each word: what trains the punctuation.

Sentences come from the recognisers' grammars and, since those know no `、`, from enumerations here.
Words are cut as the served model cuts them: runs of ASCII, and every other character by itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from . import corpus_multilingual, corpus_zh, lexicon_en
from .corpus_multilingual import SimpleGrammar
from .corpus_zh import MandarinGrammar
from .sentence import Sentence, SentenceWord

NO_MARK = "_"
MARKS = ("，", "。", "？", "、")
FULL_WIDTH = {",": "，", ".": "。", "?": "？"}
UNKNOWN = "<unk>"

ENUMERATIONS: tuple[str, ...] = (
    "{who} 买 了 {goods} 、 {goods} 和 {goods} 。",
    "{who} 喜欢 {goods} 、 {goods} 和 {goods} 。",
    "{goods} 、 {goods} 和 {goods} 都 {degree} {adjective} 。",
    "{city} 、 {city} 和 {city} {day} 都 {weather} 。",
    "{name} 、 {name} 和 {name} 在 {company} 工作 。",
    "{company} 、 {company} 和 {company} 在 {city} 开会 。",
    "请 {open} {device} 、 {device} 和 {device} 。",
    "帮 我 把 {thing} 、 {thing} 和 {thing} 发送 给 {name} 。",
    "{who} 准备 了 {topic} 、 {topic} 和 {topic} 吗 ？",
    "{who} 想 去 {city} 、 {city} 还是 {city} ？",
    "{who} 从 {city} 到 {city} 、 {city} 要 几 小时 ？",
    "我 要 {measure} {goods} 、 {measure} {goods} ， 一共 {amount} 。",
    "{place} 、 {place} 和 {place} 都 在 {city} 。",
)
"""In the form of the Mandarin grammar's templates."""

CHINESE_SHARE, ENGLISH_SHARE = 0.75, 0.17
"""Of the passages; the rest has sentences of both languages."""
TEMPLATE_SHARE, ENUMERATION_SHARE = 0.72, 0.16
"""Of the Chinese sentences (and of the English); the rest is the grammars' own mixture, with random
words in it."""
LONGEST_PASSAGE = 8
WRITTEN_SHARE = 0.15
"""Of the passages: figures where numbers are spoken, as texts from elsewhere have them."""
ERRONEOUS_SHARE, ERROR_RATE = 0.4, 0.06
"""Of the passages, and of their words: what a recogniser may get wrong."""
UNKNOWN_RATE = 0.03


@dataclass(frozen=True)
class MarkedWord:
    """A word and the mark behind it, `NO_MARK` for none."""

    word: str
    mark: str


class PassageGrammar:
    """Draws sentences and passages; `held_out` chooses the texts kept for testing."""

    def __init__(self, rng: random.Random, held_out: bool = False) -> None:
        self._rng, self._held_out = rng, held_out
        self._chinese, self._english = MandarinGrammar(rng), SimpleGrammar("en", rng)

    def sentence(self, language: str) -> Sentence:
        """One sentence, "zh" or "en", that ends with a mark."""
        while True:
            sentence = self._chinese_sentence() if language == "zh" else self._english_sentence()
            if sentence.held_out() == self._held_out:
                return sentence

    def passage(self) -> list[MarkedWord]:
        """Several sentences after each other."""
        rng = self._rng
        kind, written = rng.random(), rng.random() < WRITTEN_SHARE
        words: list[MarkedWord] = []
        for _ in range(rng.randrange(1, LONGEST_PASSAGE + 1)):
            language = "zh" if kind < CHINESE_SHARE else "en"
            if kind > CHINESE_SHARE + ENGLISH_SHARE:
                language = rng.choice(("zh", "en"))
            words += marked_words(self.sentence(language), written)
        return words

    def _chinese_sentence(self) -> Sentence:
        kind = self._rng.random()
        if kind < TEMPLATE_SHARE:
            words = self._chinese.fill(self._rng.choice(corpus_zh.TEMPLATES))
        elif kind < TEMPLATE_SHARE + ENUMERATION_SHARE:
            words = self._chinese.fill(self._rng.choice(ENUMERATIONS))
        else:
            return self._chinese.sentence()
        return Sentence(tuple(words), "zh")

    def _english_sentence(self) -> Sentence:
        if self._rng.random() < TEMPLATE_SHARE:
            words = self._english.fill(self._rng.choice(lexicon_en.TEMPLATES))
            return Sentence(tuple(words), "en", spaced=True)
        return self._english.sentence()


def marked_words(sentence: Sentence, written: bool) -> list[MarkedWord]:
    """A sentence's words with their marks, spoken numbers as figures where `written`."""
    marked: list[MarkedWord] = []
    for word in sentence.words:
        if word.is_punctuation:
            marked[-1] = MarkedWord(marked[-1].word, FULL_WIDTH.get(word.text, word.text))
            continue
        for piece in _pieces(word, written):
            before = marked[-1] if marked else None
            if _joins(before, piece) and not sentence.spaced:
                marked[-1] = MarkedWord(marked[-1].word + piece, NO_MARK)
            else:
                marked.append(MarkedWord(piece, NO_MARK))
    return marked


def _pieces(word: SentenceWord, written: bool) -> Iterable[str]:
    text = word.written if written else word.text
    return [text] if text.isascii() and text else text


def _joins(before: MarkedWord | None, piece: str) -> bool:
    """Whether a piece continues the run of ASCII before it."""
    return (
        before is not None and before.mark == NO_MARK and before.word.isascii() and piece.isascii()
    )


def with_errors(
    rng: random.Random, words: Sequence[MarkedWord], vocabulary: Sequence[str]
) -> list[MarkedWord]:
    """Words as a recogniser might have heard them: some changed, lost or doubled, some unknown."""
    heard: list[MarkedWord] = []
    rate = ERROR_RATE if rng.random() < ERRONEOUS_SHARE else 0.0
    for word in words:
        kind = rng.random()
        if kind < rate / 3 and word.mark == NO_MARK:
            continue
        if kind < 2 * rate / 3:
            heard.append(MarkedWord(rng.choice(vocabulary), NO_MARK))
        changed = rng.choice(vocabulary) if 2 * rate / 3 <= kind < rate else word.word
        if rng.random() < UNKNOWN_RATE:
            changed = UNKNOWN
        heard.append(MarkedWord(changed, word.mark))
    return heard


def punctuation_vocabulary() -> list[str]:
    """`<blank>`, the recognisers' characters and English words, letters, digits, `<unk>` last."""
    characters = set(corpus_zh.vocabulary())
    for template in ENUMERATIONS:
        plain = (part for part in template.split() if not part.startswith("{"))
        characters.update(c for part in plain for c in part if part not in MARKS)
    english = corpus_multilingual.vocabulary("en")
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    digits = [str(digit) for digit in range(10)]
    words = dict.fromkeys([*digits, *letters, *english, *sorted(characters)])
    return ["<blank>", *words, UNKNOWN]
