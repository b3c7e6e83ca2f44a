"""English, Cantonese, Japanese and Korean sentences from small lexicons and templates."""

from __future__ import annotations

import random
from types import ModuleType

from . import lexicon_en, lexicon_ja, lexicon_ko, lexicon_yue
from .sentence import PUNCTUATION, Sentence, SentenceWord, number_words, plain_word

_MODULES: dict[str, ModuleType] = {
    "en": lexicon_en,
    "yue": lexicon_yue,
    "ja": lexicon_ja,
    "ko": lexicon_ko,
}
_SPACED = ("en", "ko")
_SPOKEN_MARKS = {"，": ",", "、": ",", "。": ".", "？": "?", ",": ",", ".": ".", "?": "?"}


def lexicon_words(language: str) -> dict[str, list[tuple[str, str]]]:
    """(text, sound) pairs by role."""
    words: dict[str, str] | str = _MODULES[language].WORDS
    if isinstance(words, str):
        return _with_sounds(words)
    return {role: [(word, word) for word in entry.split()] for role, entry in words.items()}


def _with_sounds(lexicon: str) -> dict[str, list[tuple[str, str]]]:
    """Read lines of `role: word=sound, word=sound`."""
    words: dict[str, list[tuple[str, str]]] = {}
    for line in lexicon.strip().splitlines():
        role, entries = line.split(":")
        pairs = (entry.strip().split("=") for entry in entries.split(","))
        words[role] = [(text, sound) for text, sound in pairs]
    return words


class SimpleGrammar:
    """Draws sentences of one language: templates, digit strings, numbers, random words."""

    def __init__(self, language: str, rng: random.Random) -> None:
        self._language, self._rng = language, rng
        self._module = _MODULES[language]
        self._roles = lexicon_words(language)
        self._sounds = {text: sound for words in self._roles.values() for text, sound in words}
        self._all_words = list(self._sounds.items())

    def sentence(self) -> Sentence:
        """One sentence with closing punctuation."""
        rng, kind = self._rng, self._rng.random()
        from_template = kind < 0.42
        if from_template:
            words = self.fill(rng.choice(self._module.TEMPLATES))
        else:
            if kind < 0.56:
                words = self._digits()
            elif kind < 0.64:
                words = self._number()
            else:
                words = self._random_sequence()
            words = [*words, self._mark(self._module.FULL_STOP)]
        spaced = self._language in _SPACED
        return Sentence(tuple(words), self._language, spaced, from_template)

    def _mark(self, mark: str) -> SentenceWord:
        return SentenceWord(mark, _SPOKEN_MARKS[mark], mark)

    def fill(self, template: str) -> list[SentenceWord]:
        """The words of a template such as those of the lexicons, its slots filled."""
        words: list[SentenceWord] = []
        for part in template.split():
            slot = part.strip("{}")
            if part in PUNCTUATION:
                words.append(self._mark(part))
            elif not part.startswith("{"):
                words.append(plain_word(part, self._sounds.get(part, part)))
            elif slot == "number":
                words += self._number()
            elif slot == "small":
                words += self._number(self._rng.randrange(1, 13))
            elif slot == "digits":
                words += self._digits()
            else:
                words.append(plain_word(*self._rng.choice(self._roles[slot])))
        return words

    def _digits(self) -> list[SentenceWord]:
        run = [self._rng.randrange(10) for _ in range(self._rng.randrange(2, 11))]
        return number_words([self._module.digit(d) for d in run], "".join(map(str, run)))

    def _number(self, value: int | None = None) -> list[SentenceWord]:
        if value is None:
            size = self._rng.choices((1, 2, 3, 4, 5), (5, 10, 8, 4, 2))[0]
            value = self._rng.randrange(10 ** (size - 1), 10**size)
            if size > 2 and self._rng.random() < 0.4:
                value = value // 100 * 100
        return number_words(self._module.number(value), str(value))

    def _random_sequence(self) -> list[SentenceWord]:
        rng = self._rng
        words: list[SentenceWord] = []
        size = rng.choices((1, 2, 3, 4, 5, 6, 7), (2, 4, 6, 6, 4, 2, 1))[0]
        for index in range(size):
            if rng.random() < 0.1:
                words += self._number() if rng.random() < 0.5 else self._digits()
            else:
                words.append(plain_word(*rng.choice(self._all_words)))
            if index + 1 < size and rng.random() < 0.08:
                words.append(self._mark(self._module.COMMA))
        return words


def vocabulary(language: str, sample_size: int = 20_000, seed: int = 7) -> list[str]:
    """Every token of the language: words where it writes spaces, else characters; sorted."""
    grammar = SimpleGrammar(language, random.Random(seed))
    tokens: set[str] = set()
    for _ in range(sample_size):
        spoken = grammar.sentence().spoken()
        tokens.update(spoken.split() if language in _SPACED else spoken)
    return sorted(tokens)
