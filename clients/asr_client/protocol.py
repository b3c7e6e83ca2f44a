"""What is said to the server and what its answer means, without any input or output.

Requests are named NumPy arrays, responses too; the transports carry them. The tensors:

    WAV         FP32  [rows, samples]  16 kHz, [-1, 1], zero-padded to the longest row
    WAV_LENS    INT32 [rows, 1]        true length of each row, in samples
    LANGUAGE    INT32 [rows, 1]        SenseVoice only, see `asr_contract.languages`
    TEXT_NORM   INT32 [rows, 1]        the same

    TRANSCRIPTS STRING [rows]          text; SenseVoice's with its tags
    TEXT, DETECTED_LANGUAGE, EMOTION, EVENT  STRING [rows, 1]
    TOKENS      STRING [rows, n]       padded with "" behind a row's own tokens
    TIMESTAMPS  INT32 [rows, n, 2]     start and end in ms, padded with -1
    CONFIDENCE  FP32  [rows, n]        0 to 1, padded with 0

Only TRANSCRIPTS is required of an answer, so servers that offer less are understood too, and so
are those that answer [rows, 1], as this project's models did before they took FunASR's shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_contract import PARAFORMER_MODEL, SAMPLE_RATE, SENSEVOICE_MODEL, language_id, text_norm_id
from asr_contract.tensors import (
    AUDIO_INPUTS,
    CONFIDENCE,
    DETECTED_LANGUAGE,
    EMOTION,
    EVENT,
    HOTWORDS_LEFT_OUT,
    HOTWORDS_PARAMETER,
    IS_FINAL,
    LANGUAGE,
    PROMPT_INPUTS,
    TEXT,
    TEXT_NORM,
    TIMESTAMPS,
    TOKENS,
    TRANSCRIPTS,
    WAV,
    WAV_LENS,
)

from .audio.waveform import Waveform
from .errors import OptionError, ProtocolError
from .hotwords import Hotwords, encode_hotwords
from .options import checked_language
from .results import Transcript

# `<|zh|><|NEUTRAL|><|Speech|><|withitn|>` in front of SenseVoice's text, and more inside it.
_TAG = re.compile(r"<\|([^|]*)\|>")


@dataclass(frozen=True)
class ModelInterface:
    """The name of a Triton model and the inputs it takes."""

    name: str
    inputs: frozenset[str]


# Names the SDK offers → what is served under them.
KNOWN_MODELS = {
    "sensevoice": ModelInterface(SENSEVOICE_MODEL, AUDIO_INPUTS | PROMPT_INPUTS),
    "paraformer": ModelInterface(PARAFORMER_MODEL, AUDIO_INPUTS),
}


@dataclass(frozen=True)
class SequenceStep:
    """The place of a request in a sequence, for models that keep state between requests.

    `sequence_id` is chosen by the client and not zero (zero means: no sequence).
    """

    sequence_id: int
    start: bool = False
    end: bool = False


@dataclass(frozen=True)
class InferRequest:
    """One request, ready for any transport.

    Attributes:
        inputs: tensor name → array; the dtype of the array is that of the tensor.
        step: for a request of a sequence, see `streaming`.
        parameters: request parameters by name.
    """

    model_name: str
    inputs: dict[str, NDArray[Any]]
    step: SequenceStep | None = None
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelMetadata:
    """Names of a model's inputs and outputs as the server reports them."""

    inputs: frozenset[str]
    outputs: frozenset[str]


def interface_from_metadata(name: str, metadata: ModelMetadata) -> ModelInterface:
    """Return how to talk to a model of any name, from the server's description of it.

    Raises:
        ProtocolError: it is a model of streams, does not take WAV and WAV_LENS, needs an input
            the SDK does not know, or does not answer with TRANSCRIPTS.
    """
    if IS_FINAL in metadata.outputs and TRANSCRIPTS in metadata.outputs:
        raise ProtocolError(
            f"model {name!r}: expected a model of whole recordings; it is one of streams "
            "(`Client.stream`, `triton-asr stream`)"
        )
    missing = AUDIO_INPUTS - metadata.inputs
    unknown = metadata.inputs - AUDIO_INPUTS - PROMPT_INPUTS
    if missing or unknown or TRANSCRIPTS not in metadata.outputs:
        raise ProtocolError(
            f"model {name!r}: expected the inputs WAV, WAV_LENS (and perhaps LANGUAGE, "
            f"TEXT_NORM) and the output TRANSCRIPTS; got inputs {_listed(metadata.inputs)} and "
            f"outputs {_listed(metadata.outputs)}"
        )
    return ModelInterface(name, metadata.inputs)


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


def build_request(
    interface: ModelInterface,
    waveforms: Sequence[Waveform],
    *,
    language: str = "auto",
    itn: bool = True,
    hotwords: Hotwords = None,
) -> InferRequest:
    """Build one request with a row for each waveform, padded to the longest.

    Args:
        interface: the model to ask; `language` and `itn` are sent only if it takes them.
        waveforms: [samples] float32 each, 16 kHz.
        language: a word of `LANGUAGE_IDS`.
        itn: whether numbers, dates and punctuation are written out ready to read.
        hotwords: sent to any model, so that one which takes none can say so.

    Raises:
        OptionError: unknown language, hotwords that are none, or no waveform at all.
    """
    language_number = language_id(checked_language(language))
    if not waveforms:
        raise OptionError("expected at least one recording; got none")
    rows = len(waveforms)
    inputs = audio_inputs(waveforms)
    if LANGUAGE in interface.inputs:
        inputs[LANGUAGE] = np.full((rows, 1), language_number, dtype=np.int32)
    if TEXT_NORM in interface.inputs:
        inputs[TEXT_NORM] = np.full((rows, 1), text_norm_id(itn), dtype=np.int32)
    words = encode_hotwords(hotwords)
    parameters = {HOTWORDS_PARAMETER: words} if words else {}
    return InferRequest(interface.name, inputs, parameters=parameters)


def audio_inputs(waveforms: Sequence[Waveform]) -> dict[str, NDArray[Any]]:
    """Return WAV and WAV_LENS of at least one waveform, [samples] float32 at 16 kHz each."""
    lengths = np.array([[waveform.size] for waveform in waveforms], dtype=np.int32)
    padded = np.zeros((len(waveforms), int(lengths.max())), dtype=np.float32)
    for row, waveform in zip(padded, waveforms, strict=True):
        row[: waveform.size] = waveform
    return {WAV: padded, WAV_LENS: lengths}


def parse_response(request: InferRequest, outputs: Mapping[str, NDArray[Any]]) -> list[Transcript]:
    """Turn the answer to a request into one `Transcript` a row.

    Raises:
        ProtocolError: an output is missing, misshaped, or not UTF-8.
    """
    lengths = request.inputs[WAV_LENS]
    rows = len(lengths)
    raw_texts = text_column(outputs, TRANSCRIPTS, rows)
    if raw_texts is None:
        raise ProtocolError(
            f"model {request.model_name!r}: expected the output TRANSCRIPTS; got "
            f"{', '.join(sorted(outputs))}"
        )
    texts = text_column(outputs, TEXT, rows)
    languages = text_column(outputs, DETECTED_LANGUAGE, rows)
    emotions = text_column(outputs, EMOTION, rows)
    events = text_column(outputs, EVENT, rows)
    transcripts = []
    for row in range(rows):
        tokens, timestamps_ms, confidence = row_tokens(outputs, row, rows)
        raw_text = raw_texts[row]
        tags = _TAG.findall(raw_text)[:3]  # language, emotion, event, in this order
        tags += [None] * (3 - len(tags))
        transcripts.append(
            Transcript(
                text=texts[row] if texts else _TAG.sub("", raw_text).strip(),
                model=request.model_name,
                duration_s=int(lengths[row, 0]) / SAMPLE_RATE,
                tokens=tokens,
                timestamps_ms=timestamps_ms,
                confidence=confidence,
                language=(languages[row] if languages else tags[0]) or None,
                emotion=(emotions[row] if emotions else tags[1]) or None,
                event=(events[row] if events else tags[2]) or None,
                raw_text=raw_text,
                warnings=unused_hotwords(outputs, row, rows),
            )
        )
    return transcripts


def unused_hotwords(outputs: Mapping[str, NDArray[Any]], row: int, rows: int) -> list[str]:
    """Return a warning for each hotword that the model left out."""
    problems = outputs.get(HOTWORDS_LEFT_OUT)
    if problems is None:
        return []
    if problems.ndim != 2 or len(problems) != rows:
        raise ProtocolError(
            f"{HOTWORDS_LEFT_OUT}: expected shape [{rows}, n]; got {list(problems.shape)}"
        )
    return [f"left out: {_decode(problem, HOTWORDS_LEFT_OUT)}" for problem in problems[row]]


def row_tokens(
    outputs: Mapping[str, NDArray[Any]], row: int, rows: int
) -> tuple[list[str], list[tuple[int, int]] | None, list[float] | None]:
    """Return a row's tokens, their (start, end) in ms and their confidence, padding cut off."""
    token_rows = outputs.get(TOKENS)
    if token_rows is None:
        return [], None, None
    if token_rows.ndim != 2 or len(token_rows) != rows:
        raise ProtocolError(f"TOKENS: expected shape [{rows}, n]; got {list(token_rows.shape)}")
    tokens = [_decode(token, TOKENS) for token in token_rows[row]]
    while tokens and not tokens[-1]:
        tokens.pop()
    count, width = len(tokens), token_rows.shape[1]

    timestamps_ms: list[tuple[int, int]] | None = None
    times = outputs.get(TIMESTAMPS)
    if times is not None:
        if times.shape != (rows, width, 2):
            raise ProtocolError(
                f"TIMESTAMPS: expected shape {[rows, width, 2]}; got {list(times.shape)}"
            )
        own = times[row, :count]
        # All -1 says that the model gives no times. Without a token there is nothing to time.
        if count == 0 or (own >= 0).any():
            timestamps_ms = [(int(start), int(end)) for start, end in own]

    confidence: list[float] | None = None
    probabilities = outputs.get(CONFIDENCE)
    if probabilities is not None:
        if probabilities.shape != (rows, width):
            raise ProtocolError(
                f"CONFIDENCE: expected shape {[rows, width]}; got {list(probabilities.shape)}"
            )
        confidence = [float(value) for value in probabilities[row, :count]]
    return tokens, timestamps_ms, confidence


def text_column(outputs: Mapping[str, NDArray[Any]], name: str, rows: int) -> list[str] | None:
    """Return a [rows] or [rows, 1] STRING output as a list; None if the answer lacks it."""
    column = outputs.get(name)
    if column is None:
        return None
    if column.size != rows:
        raise ProtocolError(f"{name}: expected shape {[rows, 1]}; got {list(column.shape)}")
    return [_decode(value, name) for value in column.reshape(rows)]


def _decode(value: object, name: str) -> str:
    """Decode one STRING element (UTF-8 bytes, or text already)."""
    if isinstance(value, str):
        return value
    if not isinstance(value, bytes):
        raise ProtocolError(f"{name}: expected STRING elements; got {type(value).__name__}")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProtocolError(
            f"{name}: expected UTF-8; got {value[:40]!r} ({error.reason})"
        ) from None
