"""Embeds hotwords for contextual and SeACo Paraformer: an embedding table and an LSTM.

It runs in NumPy inside the feature extractor: a word costs a few small matrix products once, then
its embedding is remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

EMBEDDER_FILE = "hotword_embedder.npz"
MAX_REMEMBERED = 20_000  # words; 40 MB at 512 dimensions


@dataclass(frozen=True)
class LstmLayer:
    """Weights of an LSTM of one direction, gates in ONNX's order: input, output, forget, cell.

    Attributes:
        input_weights, recurrent_weights: float32 [4D, D].
        bias: float32 [4D], the sum of both biases.
    """

    input_weights: Floats
    recurrent_weights: Floats
    bias: Floats

    def __call__(self, inputs: Floats) -> Floats:
        """Run over time: [T, N, D] to the hidden states [T, N, D], from zero states.

        Source: operator `LSTM` of the ONNX standard.
        """
        projected = inputs @ self.input_weights.T + self.bias
        hidden = cell = np.zeros(inputs.shape[1:], np.float32)
        outputs = np.empty_like(inputs)
        for step, gates in enumerate(projected):
            entry, out, forget, candidate = np.split(
                gates + hidden @ self.recurrent_weights.T, 4, axis=-1
            )
            cell = _sigmoid(forget) * cell + _sigmoid(entry) * np.tanh(candidate)
            hidden = outputs[step] = _sigmoid(out) * np.tanh(cell)
        return outputs


class HotwordEmbedder:
    """Gives each hotword the LSTM's state behind its last token.

    Args:
        embedding: float32 [V, D], of the vocabulary's tokens.
        layers: one (contextual) or two (SeACo), the first below the second.
    """

    def __init__(self, embedding: Floats, layers: Sequence[LstmLayer]) -> None:
        self._embedding = embedding
        self._layers = layers
        self._remembered: OrderedDict[tuple[int, ...], Floats] = OrderedDict()

    def __call__(self, words: Sequence[tuple[int, ...]]) -> Floats:
        """Embed words, token ids each, at least one: float32 [N, D]."""
        new = [word for word in dict.fromkeys(words) if word not in self._remembered]
        if new:
            self._remembered.update(zip(new, self._compute(new), strict=True))
        for word in words:
            self._remembered.move_to_end(word)
        found = np.stack([self._remembered[word] for word in words])
        while len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return found

    def _compute(self, words: Sequence[tuple[int, ...]]) -> Floats:
        lengths = np.array([len(word) for word in words])
        ids = np.zeros((lengths.max(), len(words)), np.int64)
        for column, word in enumerate(words):
            ids[: len(word), column] = word
        states: Floats = self._embedding[ids]
        for layer in self._layers:
            states = layer(states)
        last: Floats = states[lengths - 1, np.arange(len(words))]
        return last


def _sigmoid(values: Floats) -> Floats:
    # By tanh, which does not overflow.
    gates: Floats = np.float32(0.5) * (np.tanh(values * np.float32(0.5)) + np.float32(1))
    return gates


def save_embedder(path: Path, embedding: Floats, layers: Sequence[LstmLayer]) -> None:
    """Write the weights where `load_embedder` finds them."""
    arrays = {"embedding": embedding}
    for number, layer in enumerate(layers):
        arrays |= {f"{name}_{number}": value for name, value in vars(layer).items()}
    with path.open("wb") as file:
        np.savez(file, **arrays)


def load_embedder(path: Path) -> HotwordEmbedder:
    """Read the weights that `save_embedder` wrote.

    Raises:
        FileNotFoundError: there are none.
        ValueError: the file holds something else.
    """
    try:
        with np.load(path) as arrays:
            layers = [
                LstmLayer(
                    arrays[f"input_weights_{number}"],
                    arrays[f"recurrent_weights_{number}"],
                    arrays[f"bias_{number}"],
                )
                for number in range((len(arrays.files) - 1) // 3)
            ]
            return HotwordEmbedder(arrays["embedding"], layers)
    except (KeyError, EOFError) as error:
        raise ValueError(f"{path}: expected a hotword embedder, got {error}") from error
