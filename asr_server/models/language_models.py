"""Language models: which recognisers take them, and the published one's name."""

from __future__ import annotations

from asr_server.models.names import is_hub_id

SCORING = {
    "sensevoice": "sensevoice_scoring",
    "paraformer": "paraformer_scoring",
    "paraformer-online": "streaming_cif_search",
}
"""For each kind of recogniser, the Triton model that turns its tokens into text."""

RECOGNISERS = tuple(SCORING)

# FunASR's graph for its Paraformer; the folder in the start scripts of its C++ runtime.
_PUBLISHED = ("speech_ngram_lm_zh-cn-ai-wesp-fst",)
_STORE_PREFIX = "lm-"

NONE = "none"
"""What `install use` takes a language model away with."""


def stored_kind(recogniser: str) -> str:
    """Return what the language models of a recogniser are kept under."""
    return _STORE_PREFIX + recogniser


STORED_KINDS = {stored_kind(recogniser): recogniser for recogniser in RECOGNISERS}


def language_model_repository(source: str) -> str | None:
    """Return the id that a source on a hub has; None for what is none."""
    if source in _PUBLISHED:
        return f"iic/{source}"
    return source if is_hub_id(source) else None
