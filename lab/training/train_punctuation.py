"""Trains the small CT-Transformers, FunASR's own classes: marks behind the words of a text.

    python -m lab.training.train_punctuation offline --minutes 10
    python -m lab.training.train_punctuation online --minutes 10 \\
        --initial .cache/embedded/punctuation_offline/average.pt

A passage (`punctuated_texts.py`) begins with a sentence and may stop anywhere, as the windows do in
which the text goes through the served model; the mark behind the last word of a broken sentence
counts for nothing. The streaming model sees the words before a pause without those after it: its
ONNX runtimes hide them from every layer, while FunASR's PyTorch form lets no layer but the last see
ahead. It learns both.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from lab.random_models.ct_transformer import PUNC_LIST, CtSize, model_config

from .dropout import use_byte_dropout
from .models import build_model
from .punctuated_texts import MarkedWord, PassageGrammar, punctuation_vocabulary, with_errors
from .training_loop import Schedule, Trainer

Form = Literal["offline", "online"]

LAYERS: dict[Form, int] = {"offline": 3, "online": 4}
"""`model_config` gives the streaming model one less."""
WIDTH, HEADS, FEED_FORWARD = 96, 4, 192
BATCH_WORDS = 3000
POOL_PASSAGES = 800
IGNORED = -100
WHOLE_SHARE = 0.45
"""Of the passages, those that end with a sentence."""
NO_CONTEXT_SHARE = 0.35
PYTORCH_MASK_SHARE = 0.3
DEV_PASSAGES = 150
DROPOUT = 0.05


def punctuation_config(form: Form, vocabulary: int) -> dict[str, Any]:
    """FunASR configuration of a model: the published one's, with smaller layers."""
    size = CtSize(WIDTH, HEADS, FEED_FORWARD, LAYERS[form], vocabulary)
    return model_config("ct_transformer" if form == "offline" else "ct_transformer_streaming", size)


@dataclass(frozen=True)
class Example:
    """Word ids and mark ids [words], and how many words come from before the pause."""

    words: list[int]
    marks: list[int]
    context: int


class ExampleMaker:
    """Turns passages into examples."""

    def __init__(self, tokens: Sequence[str], rng: random.Random) -> None:
        self._tokens, self._rng = tokens, rng
        self._ids = {word: index for index, word in enumerate(tokens)}
        self._grammar = PassageGrammar(rng)

    def __call__(self) -> Example:
        """One example of the training texts."""
        words = with_errors(self._rng, self._grammar.passage(), self._tokens[1:-1])
        if self._rng.random() > WHOLE_SHARE:
            words = words[: self._rng.randrange(1, len(words) + 1)]
        return self.encode(words, self._context(len(words)))

    def encode(self, words: Sequence[MarkedWord], context: int) -> Example:
        """An example of given words; the mark of a last word without one is unknown."""
        marks = [PUNC_LIST.index(word.mark) for word in words]
        if marks[-1] == PUNC_LIST.index("_"):
            marks[-1] = IGNORED
        unknown = len(self._tokens) - 1
        return Example([self._ids.get(w.word, unknown) for w in words], marks, context)

    def _context(self, size: int) -> int:
        if self._rng.random() < NO_CONTEXT_SHARE:
            return 0
        return self._rng.randrange(0, size)


def example_batches(maker: ExampleMaker, rng: random.Random) -> Iterator[list[Example]]:
    """Endless batches, similar lengths together."""
    while True:
        pool = sorted((maker() for _ in range(POOL_PASSAGES)), key=lambda e: len(e.words))
        batches: list[list[Example]] = [[]]
        for example in pool:
            if batches[-1] and len(example.words) * (len(batches[-1]) + 1) > BATCH_WORDS:
                batches.append([])
            batches[-1].append(example)
        rng.shuffle(batches)
        yield from batches


def pad_examples(examples: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Word ids and mark ids [batch, words] and lengths [batch], padded."""
    longest = max(len(example.words) for example in examples)
    words = np.zeros((len(examples), longest), np.int64)
    marks = np.full((len(examples), longest), IGNORED, np.int64)
    for row, example in enumerate(examples):
        words[row, : len(example.words)] = example.words
        marks[row, : len(example.marks)] = example.marks
    lengths = torch.tensor([len(example.words) for example in examples])
    return torch.from_numpy(words), torch.from_numpy(marks), lengths


def pause_masks(lengths: torch.Tensor, contexts: Sequence[int]) -> torch.Tensor:
    """Which words each word sees, bool [batch, words, words]: none after the pause before it.

    The last word before the pause sees all, for its mark is given out with the next text.
    """
    size = int(lengths.max())
    seen = (torch.arange(size)[None] < lengths[:, None])[:, None].repeat(1, size, 1)
    for row, context in enumerate(contexts):
        if context > 1:
            seen[row, : context - 1, context:] = False
    return seen


def streaming_logits(
    model: Any,
    words: torch.Tensor,
    lengths: torch.Tensor,
    first_masks: torch.Tensor,
    last_masks: torch.Tensor,
) -> torch.Tensor:
    """Logits [batch, words, marks] with the given masks before the last layer and in it."""
    encoder = model.encoder
    padding = (torch.arange(words.shape[1])[None] < lengths[:, None])[:, None]
    hidden = encoder.embed(model.embed(words) * encoder.output_size() ** 0.5)
    layers = [*encoder.encoders0, *encoder.encoders]
    for index, layer in enumerate(layers):
        seen = last_masks if index == len(layers) - 1 else first_masks
        hidden = layer(hidden, [padding, seen])[0]
    logits: torch.Tensor = model.decoder(encoder.after_norm(hidden))
    return logits


class MarkLoss:
    """Cross entropy of the marks."""

    def __init__(self, form: Form, seed: int) -> None:
        self._form, self._rng = form, random.Random(seed)

    def __call__(
        self, model: Any, examples: list[Example]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The loss of a batch, and the share of right marks among those that are one."""
        words, marks, lengths = pad_examples(examples)
        logits = self.logits(model, words, lengths, [example.context for example in examples])
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), marks.flatten(), ignore_index=IGNORED
        )
        set_marks = marks > PUNC_LIST.index("_")
        right = (logits.argmax(-1) == marks)[set_marks].float().mean()
        return loss, {"loss": loss, "right": right.nan_to_num()}

    def logits(
        self, model: Any, words: torch.Tensor, lengths: torch.Tensor, contexts: list[int]
    ) -> torch.Tensor:
        """Logits [batch, words, marks]."""
        if self._form == "offline":
            offline: torch.Tensor = model.punc_forward(words, lengths)[0]
            return offline
        seen = pause_masks(lengths, contexts)
        first = seen
        if self._rng.random() < PYTORCH_MASK_SHARE:
            first = seen & torch.ones_like(seen[0]).tril()
        return streaming_logits(model, words, lengths, first, seen)


class DevPassages:
    """Passages of held-out texts, watched during training; not the test's."""

    def __init__(self, form: Form, tokens: Sequence[str]) -> None:
        grammar = PassageGrammar(random.Random("punctuation dev"), held_out=True)
        maker = ExampleMaker(tokens, random.Random(0))
        passages = (grammar.passage() for _ in range(DEV_PASSAGES))
        self._examples = [maker.encode(words, 0) for words in passages]
        self._loss = MarkLoss(form, seed=0)

    def __call__(self, model: Any) -> dict[str, float]:
        """Share of right marks among the words that have one, and of right words among the rest."""
        words, marks, lengths = pad_examples(self._examples)
        with torch.no_grad():
            logits = self._loss.logits(model, words, lengths, [0] * len(self._examples))
        right = logits.argmax(-1) == marks
        none = marks == PUNC_LIST.index("_")
        marked = marks > PUNC_LIST.index("_")
        return {
            "dev_marks": float(right[marked].float().mean()),
            "dev_no_marks": float(right[none].float().mean()),
        }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("form", choices=LAYERS)
    parser.add_argument("--directory", type=Path, help="default: .cache/embedded/punctuation_FORM")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--initial", type=Path, help="weights to start from: average.pt")
    arguments = parser.parse_args()
    form: Form = arguments.form
    directory = arguments.directory or Path(f".cache/embedded/punctuation_{form}")
    torch.set_num_threads(1)
    torch.manual_seed(6)
    tokens = punctuation_vocabulary()
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(tokens, ensure_ascii=False, indent=0)
    (directory / "tokens.json").write_text(text + "\n", encoding="utf-8")
    model: Any = build_model(punctuation_config(form, len(tokens)), len(tokens))
    # The encoder multiplies by the root of its width: as drawn, words would drown their positions,
    # by which the streaming form, whose memory looks back only, learns to see ahead.
    torch.nn.init.normal_(model.embed.weight, std=WIDTH**-0.5)
    if arguments.initial:  # the forms have the same layers; the streaming one's memory looks back
        model.load_state_dict(torch.load(arguments.initial, weights_only=True))
    trainer = Trainer(model, directory, Schedule(arguments.minutes, arguments.rate, 100))
    for each in (trainer.model, trainer.average):
        use_byte_dropout(each, DROPOUT)
    rng = random.Random(trainer.step + 1)
    batches = example_batches(ExampleMaker(tokens, rng), rng)
    loss = MarkLoss(form, seed=trainer.step + 1)
    trainer.run(batches, loss, DevPassages(form, tokens), evaluate_every_s=90.0)


if __name__ == "__main__":
    main()
