"""What graphs, precisions, recipes and hubs are called, on the command line and in reports."""

from __future__ import annotations

import re
from typing import Literal

GraphKind = Literal[
    "paraformer",
    "bicif_paraformer",
    "contextual_paraformer",
    "seaco_paraformer",
    "sensevoice",
    "streaming_encoder",
    "streaming_decoder",
    "vad",
    "punctuation",
    "punctuation_online",
    "speaker",
    "aligner",
]
"""Architecture of a prepared graph."""

GraphKindChoice = Literal[
    "auto",
    "paraformer",
    "sensevoice",
    "streaming_encoder",
    "streaming_decoder",
    "vad",
    "punctuation",
    "punctuation_online",
    "speaker",
    "aligner",
]
"""What a graph is said to be before it is prepared; the Paraformers tell themselves apart."""

ExportedPrecision = Literal["fp32", "int8"]
"""Of a graph as FunASR exports and publishes it."""

ConvertedPrecision = Literal["int8", "fp16"]
"""That a prepared float32 graph can be converted to."""

ServedPrecision = Literal["fp32", "int8", "fp16"]
"""Of an installed graph."""

Int8Recipe = Literal["signed", "funasr", "per_frame"]
"""How int8 is made from float32; `asr_server.graphs.int8` says what they are."""

DEFAULT_RECIPE: Int8Recipe = "signed"

RecipeChoice = Literal["signed", "funasr", "per_frame", "published"]
"""The recipes, and int8 as it was published."""

HubName = Literal["modelscope", "huggingface"]

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")

# What a graph is prepared for; either runs on both.
Device = Literal["cpu", "gpu"]

OnnxRuntime = Literal["1.19", "1.25"]
"""The oldest release that has to read a graph for a GPU; 1.25 brings operators that 1.19 lacks."""

# Counted up when the contract between prepared graphs and what serves them changes: of all kinds of
# models, or of one.
_FORMAT = 6
_FORMATS = {"paraformer-online": 7}
EMBEDDED_NAME = "embedded"  # of the small models that come along, among those that are kept


def is_hub_id(source: str) -> bool:
    """Return whether a source has the form of a repository's id on a hub: `owner/name`."""
    return _HUB_ID.fullmatch(source) is not None


def prepared_format(kind: str) -> int:
    """Return the format in which the graphs of a kind of model are prepared."""
    return _FORMATS.get(kind, _FORMAT)
