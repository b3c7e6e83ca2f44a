"""Gives random weights a plausible behaviour: varied tokens, CIF that fires, some blanks.

A freshly initialised model says one token for ever and its CIF fires never or always. The output
layers (the vocabulary's, the predictors') are therefore scaled and shifted until their outputs on
speech-like features have a chosen mean and deviation. Everything before them stays as drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from scripts.onnx_graph.speech_like import speech_like_features

_FRAMES_PER_SECOND = 1000 / 60
_TOKENS_PER_SECOND = 4.0
_ALPHA_DEVIATION = 2.0  # of the predictor's output before the sigmoid: peaks, not a plateau
_LOGIT_DEVIATION = 2.5
_BLANK_SHARE = 0.55
_CALIBRATION_LENGTHS = (100, 60)  # LFR frames


def calibrate_paraformer(model: Any, seed: int) -> None:
    """Shift and scale predictor and output layer of a (BiCif)Paraformer in its export form."""
    run = _runner(model, seed)
    predictor = model.predictor
    _standardise(predictor.cif_output, run, _ALPHA_DEVIATION)
    _shift_until(
        predictor.cif_output,
        0,
        lambda logits: float(logits.sigmoid().mean()),
        _TOKENS_PER_SECOND / _FRAMES_PER_SECOND,
        run,
    )
    if hasattr(predictor, "cif_output2"):
        _standardise(predictor.cif_output2, run, _ALPHA_DEVIATION)
        predictor.cif_output2.bias.data -= 1.0  # mostly low, as three frames share one of before
    _standardise(model.decoder.output_layer, run, _LOGIT_DEVIATION)


def calibrate_sensevoice(model: Any, seed: int) -> None:
    """Shift and scale the CTC layer of a SenseVoice in its export form."""
    run = _runner(model, seed)
    _standardise(model.ctc.ctc_lo, run, _LOGIT_DEVIATION)
    _shift_until(
        model.ctc.ctc_lo,
        0,
        lambda logits: float((logits.argmax(-1) == 0).float().mean()),
        _BLANK_SHARE,
        run,
    )


def _runner(model: Any, seed: int) -> Callable[[], None]:
    """Return a function that runs the model on the same two rows each time."""
    rng = np.random.default_rng(seed)
    rows = [torch.from_numpy(speech_like_features(rng, n)) for n in _CALIBRATION_LENGTHS]
    inputs = [torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)]
    inputs.append(torch.tensor(_CALIBRATION_LENGTHS, dtype=torch.int32))
    if "textnorm" in model.export_input_names():
        inputs += [torch.tensor([3, 0]), torch.tensor([15, 14])]

    def run() -> None:
        with torch.no_grad():
            model(*inputs)

    return run


def _outputs(layer: torch.nn.Linear, run: Callable[[], None]) -> torch.Tensor:
    """Return what `layer` gives for the first, unpadded row: float32 [T, features]."""
    seen: list[torch.Tensor] = []
    handle = layer.register_forward_hook(lambda _module, _inputs, output: seen.append(output[0]))
    try:
        run()
    finally:
        handle.remove()
    return seen[0]


def _standardise(layer: torch.nn.Linear, run: Callable[[], None], deviation: float) -> None:
    """Make each output zero on average over time, with `deviation` over all outputs."""
    outputs = _outputs(layer, run)
    mean = outputs.mean(dim=0)
    scale = deviation / (outputs - mean).std().clamp_min(1e-6)
    layer.weight.data *= scale
    layer.bias.data = (layer.bias.data - mean) * scale


def _shift_until(
    layer: torch.nn.Linear,
    index: int,
    measure: Callable[[torch.Tensor], float],
    wanted: float,
    run: Callable[[], None],
) -> None:
    """Add to one bias until `measure`, which must grow with it, gives `wanted` (bisection)."""
    outputs = _outputs(layer, run)
    low, high = -30.0, 30.0
    for _ in range(40):
        middle = (low + high) / 2
        shifted = outputs.clone()
        shifted[:, index] += middle
        low, high = (middle, high) if measure(shifted) < wanted else (low, middle)
    layer.bias.data[index] += (low + high) / 2
