"""One entry point to the grammars of all languages."""

from __future__ import annotations

import random
from typing import Protocol

from .sentence import Sentence

LANGUAGES = ("zh", "en", "yue", "ja", "ko")


class Grammar(Protocol):
    """Anything that draws sentences."""

    def sentence(self) -> Sentence:
        """One sentence with closing punctuation."""


def make_grammar(language: str, rng: random.Random) -> Grammar:
    """The grammar of `language`, drawing from `rng`. Raises ValueError for other languages."""
    if language == "zh":
        from .corpus_zh import MandarinGrammar

        return MandarinGrammar(rng)
    if language in LANGUAGES:
        from .corpus_multilingual import SimpleGrammar

        return SimpleGrammar(language, rng)
    raise ValueError(f"no grammar for {language!r}; known: {', '.join(LANGUAGES)}")
