"""What a graph is run on before it serves: as much audio, or text, as is usual at a time.

On a GPU the first run loads kernels and chooses algorithms. Lengths must be the true ones: what is
beyond a row's own length is not computed.
"""

from __future__ import annotations

from dataclasses import dataclass

from asr_core.features import FEATURE_DIM, NUM_MEL_BINS
from asr_server.graphs.caches import CACHED_COLUMNS
from asr_server.graphs.graph import Graph
from asr_server.models.names import GraphKind

_FP32, _INT32 = "TYPE_FP32", "TYPE_INT32"
_FRAMES = 83  # 5 s
_FBANK, _POSITIONS = 127, 20  # a window of 600 ms and what is beside it
_TOKENS = 3  # of a window
_VAD_FRAMES, _VAD_FEATURES = 60, 400  # 600 ms
_WORDS = 20
_SPEAKER_FRAMES = 148  # 1.5 s


@dataclass(frozen=True)
class WarmUpInput:
    """One input of the run.

    Attributes:
        data_type: Triton's name.
        dims: without the batch's, which is 1.
        value: of all elements.
    """

    data_type: str
    dims: tuple[int, ...]
    value: int = 0


def warm_up_inputs(kind: GraphKind, source: Graph) -> dict[str, WarmUpInput]:
    """Return the inputs of the prepared graph for a run before it serves.

    Args:
        kind: of the graph.
        source: as FunASR exports it; has the widths.

    Returns:
        By name; nothing where the file does not declare the widths.
    """
    if kind == "streaming_decoder":
        return _decoder(source)
    if kind == "vad":
        return _vad(source)
    if kind == "streaming_encoder":
        return {
            "fbank": WarmUpInput(_FP32, (_FBANK, NUM_MEL_BINS)),
            "first_position": WarmUpInput(_INT32, (1,)),
            "positions": WarmUpInput(_INT32, (_POSITIONS,)),
            "window_lengths": _length(_POSITIONS),
        }
    if kind in ("punctuation", "punctuation_online"):
        words = {"word_ids": WarmUpInput(_INT32, (_WORDS,)), "word_lengths": _length(_WORDS)}
        context = {"vad_indexes": WarmUpInput(_INT32, (1,))}
        return words | context if kind == "punctuation_online" else words
    if kind == "speaker":
        return {"features": WarmUpInput(_FP32, (_SPEAKER_FRAMES, NUM_MEL_BINS))}
    if kind == "aligner":
        return {"speech": WarmUpInput(_FP32, (_FRAMES, FEATURE_DIM))}
    speech = {
        "speech": WarmUpInput(_FP32, (_FRAMES, FEATURE_DIM)),
        "speech_lengths": _length(_FRAMES),
    }
    if kind == "sensevoice":
        return speech | {name: WarmUpInput(_INT32, (1,)) for name in ("language", "textnorm")}
    # Of whatever width: where it does not fit it counts as none.
    return speech | {"bias_embed": WarmUpInput(_FP32, (1, 1))}


def _length(value: int) -> WarmUpInput:
    return WarmUpInput(_INT32, (1,), value)


def _decoder(source: Graph) -> dict[str, WarmUpInput]:
    layers = sum(name.startswith("in_cache_") for name in source.input_types)
    sizes = _widths(source, "in_cache_0", slice(1, 3))
    if not sizes:
        return {}
    return {
        "hidden": WarmUpInput(_FP32, (_POSITIONS, sizes[0])),
        "hidden_lengths": _length(_POSITIONS),
        "acoustic_embeds": WarmUpInput(_FP32, (_TOKENS, sizes[0])),
        "embeds_lengths": _length(_TOKENS),
        CACHED_COLUMNS: WarmUpInput(_FP32, (sizes[1], layers, sizes[0])),
    }


def _vad(source: Graph) -> dict[str, WarmUpInput]:
    layers = sum(name.startswith("in_cache") for name in source.input_types)
    sizes = _widths(source, "in_cache0", slice(1, 3))
    if not sizes:
        return {}
    return {
        "speech": WarmUpInput(_FP32, (_VAD_FRAMES, _VAD_FEATURES)),
        "speech_lengths": _length(_VAD_FRAMES),
        "cache": WarmUpInput(_FP32, (layers, *sizes)),
    }


def _widths(source: Graph, tensor: str, axes: slice) -> tuple[int, ...]:
    """Return declared sizes; nothing where one is not a number."""
    dims = source.declared_dims(tensor)[axes]
    sizes = tuple(dim for dim in dims if isinstance(dim, int))
    return sizes if len(sizes) == len(dims) else ()
