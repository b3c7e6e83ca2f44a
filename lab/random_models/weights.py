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

from asr_server.graphs.front_end import sinusoidal_positions
from asr_server.graphs.speech_like import speech_like_features

_FRAMES_PER_SECOND = 1000 / 60
_TOKENS_PER_SECOND = 4.0
_ALPHA_DEVIATION = 2.0  # of the predictor's output before the sigmoid: peaks, not a plateau
_LOGIT_DEVIATION = 2.5
_BLANK_SHARE = 0.55
_CALIBRATION_LENGTHS = (100, 60)  # LFR frames
_WINDOW, _STRIDE = 20, 10  # LFR frames: a window of the streaming encoder, and what is new in it
_NUM_WINDOWS = 10
_FRAMES_PER_TOKEN = 4
_HOTWORDS = 8
_HOTWORD_GAIN = 4.0  # of the embedder's weights: its gates open and close
# Of what is read from the hotwords: random weights would hardly look at them.
_SEACO_GAIN = 3.0
_CONTEXTUAL_GAIN = 12.0
_NO_BIAS_SHARE = 0.5


def calibrate_paraformer(model: Any, seed: int) -> None:
    """Shift and scale predictor and output layers of a Paraformer in its export form."""
    run = _runner(model, seed)
    _listen_to_hotwords(model)
    predictor = model.predictor
    _calibrate_alphas(predictor.cif_output, run)
    if hasattr(predictor, "cif_output2"):
        _standardise(predictor.cif_output2, run, _ALPHA_DEVIATION)
        predictor.cif_output2.bias.data -= 1.0  # mostly low, as three frames share one of before
    _standardise(model.decoder.output_layer, run, _LOGIT_DEVIATION)
    if hasattr(model, "hotword_output_layer"):
        _standardise(model.hotword_output_layer, run, _LOGIT_DEVIATION)
        no_bias = model.NOBIAS
        _shift_until(
            model.hotword_output_layer,
            no_bias,
            lambda logits: float((logits.argmax(-1) == no_bias).float().mean()),
            _NO_BIAS_SHARE,
            run,
        )


def calibrate_aligner(form: Any, seed: int) -> None:
    """Shift and scale the predictor's output of a MonotonicAligner in its export form."""
    features = speech_like_features(np.random.default_rng(seed), _CALIBRATION_LENGTHS[0])

    def run() -> None:
        with torch.no_grad():
            form(torch.from_numpy(features)[None])

    _standardise(form.predictor.cif_output2, run, _ALPHA_DEVIATION)
    form.predictor.cif_output2.bias.data -= 1.0


def _listen_to_hotwords(model: Any) -> None:
    """Let the layers that attend to hotwords, if there are any, change the text."""
    if hasattr(model, "seaco_decoder"):
        for layer in model.seaco_decoder.model.decoders:
            layer.src_attn.linear_out.weight.data *= _SEACO_GAIN
    elif hasattr(model.decoder, "bias_decoder"):
        model.decoder.bias_decoder.src_attn.linear_out.weight.data *= _CONTEXTUAL_GAIN


def spread_hotwords(embedder: Any) -> None:
    """Make the embeddings of different hotwords differ as those of a trained embedder do."""
    for parameter in embedder.bias_encoder.parameters():
        parameter.data *= _HOTWORD_GAIN


def calibrate_paraformer_online(encoder: Any, decoder: Any, seed: int) -> None:
    """Shift and scale predictor and output layer of a ParaformerStreaming in its export forms.

    The encoder runs over the overlapping windows of one recording, as when serving. The decoder
    gets what CIF would make of it with equal weights: means of a few neighbouring frames.

    Args:
        encoder: `speech, speech_lengths -> enc, enc_len, alphas`.
        decoder: `enc, enc_len, acoustic_embeds, acoustic_embeds_len, *caches -> logits, ...`.
    """
    dim = encoder.encoder.get_output_size()
    features = speech_like_features(np.random.default_rng(seed), _WINDOW + _STRIDE * _NUM_WINDOWS)
    rows = features * np.float32(dim**0.5)
    rows += sinusoidal_positions(np.arange(1, len(rows) + 1), rows.shape[1])
    windows = np.stack([rows[i * _STRIDE :][:_WINDOW] for i in range(_NUM_WINDOWS)])
    speech = torch.from_numpy(windows)
    lengths = torch.full((_NUM_WINDOWS,), _WINDOW, dtype=torch.int32)

    def run_encoder() -> torch.Tensor:
        with torch.no_grad():
            hidden: torch.Tensor = encoder(speech, lengths)[0]
        return hidden

    _calibrate_alphas(encoder.predictor.cif_output, run_encoder, _NUM_WINDOWS)
    hidden = run_encoder()
    embeds = hidden.unflatten(1, (-1, _FRAMES_PER_TOKEN)).mean(dim=2)
    counts = torch.full((_NUM_WINDOWS,), embeds.shape[1], dtype=torch.int32)
    caches = [torch.zeros(_NUM_WINDOWS, *c.shape[1:]) for c in decoder.export_dummy_inputs()[4:]]

    def run_decoder() -> None:
        with torch.no_grad():
            decoder(hidden, lengths, embeds, counts, *caches)

    _standardise(decoder.decoder.output_layer, run_decoder, _LOGIT_DEVIATION, _NUM_WINDOWS)


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
    if "bias_embed" in model.export_input_names():
        width = model.export_dummy_inputs()[2].shape[-1]
        hotwords = rng.uniform(-1, 1, (1, _HOTWORDS, width)).astype(np.float32)
        inputs.append(torch.from_numpy(hotwords).expand(len(rows), -1, -1))

    def run() -> None:
        with torch.no_grad():
            model(*inputs)

    return run


def _calibrate_alphas(layer: torch.nn.Linear, run: Callable[[], object], rows: int = 1) -> None:
    """Let the weights of CIF peak, and sum to as many tokens a second as people speak."""
    _standardise(layer, run, _ALPHA_DEVIATION, rows)
    _shift_until(
        layer,
        0,
        lambda logits: float(logits.sigmoid().mean()),
        _TOKENS_PER_SECOND / _FRAMES_PER_SECOND,
        run,
        rows,
    )


def _outputs(layer: torch.nn.Linear, run: Callable[[], object], rows: int) -> torch.Tensor:
    """Return what `layer` gives for the first `rows`, which have no padding: float32 [n, D]."""
    seen: list[torch.Tensor] = []
    handle = layer.register_forward_hook(
        lambda _module, _inputs, output: seen.append(output[:rows].flatten(0, 1))
    )
    try:
        run()
    finally:
        handle.remove()
    return seen[0]


def _standardise(
    layer: torch.nn.Linear, run: Callable[[], object], deviation: float, rows: int = 1
) -> None:
    """Make each output zero on average over time, with `deviation` over all outputs."""
    outputs = _outputs(layer, run, rows)
    mean = outputs.mean(dim=0)
    scale = deviation / (outputs - mean).std().clamp_min(1e-6)
    layer.weight.data *= scale
    layer.bias.data = (layer.bias.data - mean) * scale


def _shift_until(
    layer: torch.nn.Linear,
    index: int,
    measure: Callable[[torch.Tensor], float],
    wanted: float,
    run: Callable[[], object],
    rows: int = 1,
) -> None:
    """Add to one bias until `measure`, which must grow with it, gives `wanted` (bisection)."""
    outputs = _outputs(layer, run, rows)
    low, high = -30.0, 30.0
    for _ in range(40):
        middle = (low + high) / 2
        shifted = outputs.clone()
        shifted[:, index] += middle
        low, high = (middle, high) if measure(shifted) < wanted else (low, middle)
    layer.bias.data[index] += (low + high) / 2
