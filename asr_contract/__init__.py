"""What client and server both speak: names, ids and grammars, without NumPy.

    audio        the sample rate and units of time
    access       API keys, and which addresses need none
    doubt        below which confidence a text is doubtful
    models       names of the models that clients call
    tensors      names of their tensors and of request parameters
    languages    SenseVoice's languages and text normalisation, and the ids that are sent
    hotwords     the text in which hotwords are sent: read, written, joined
    chunk_size   how a stream is cut, and the sizes that are served
    error_rate   how transcripts are compared
    scripts      what is written without spaces
    traces       whether OpenTelemetry is asked for, and what joins a trace
    text_files   text and JSON files that people write; bounded_json: JSON from strangers
    cores        how many cores a process may use
    entry        how a console command begins and ends; installed: its version
    patient_lines    lines written by a thread, so that a slow reader holds up nobody

A rule that both sides follow is written here once. Wrong values raise `ValueError` with what was
expected and what came; the SDK turns these into its own errors.
"""

from .audio import LEVEL_MS, ROW_MS, SAMPLE_RATE, SAMPLES_PER_MS
from .chunk_size import (
    CHUNK_SIZES,
    DEFAULT_CHUNK_SIZE,
    ChunkSize,
    chunk_size_of,
    nearest_served_chunk_size,
    parse_chunk_size,
    parse_served_chunk_size,
)
from .doubt import (
    DOUBTFUL_CONFIDENCE,
    HEARD_CONFIDENCE,
    doubtful_below,
    is_doubtful,
    is_heard,
)
from .error_rate import ErrorCount, character_error_rate, count_edits, count_errors
from .hotwords import (
    Hotword,
    checked_hotwords,
    join_hotwords,
    parse_hotwords,
    requested_hotwords,
    write_hotwords,
)
from .languages import (
    LANGUAGE_IDS,
    LANGUAGE_NAMES,
    TEXT_NORM_IDS,
    language_id,
    language_name,
    read_language,
    text_norm_id,
)
from .models import (
    ALIGNER_MODEL,
    DEFAULT_RECOGNISER,
    PARAFORMER_MODEL,
    PUNCTUATION_MODEL,
    PUNCTUATION_ONLINE_MODEL,
    RECOGNISERS,
    SENSEVOICE_ALIGNMENT_MODEL,
    SENSEVOICE_FRAMES_MODEL,
    SENSEVOICE_MODEL,
    SPEAKER_MODEL,
    STREAMING_MODEL,
    VAD_MODEL,
    triton_name,
)
from .scripts import UNSPACED, are_spaced
from .text_files import read_text
from .traces import joinable, recorded, traces_endpoint

__all__ = [
    "ALIGNER_MODEL",
    "CHUNK_SIZES",
    "DEFAULT_CHUNK_SIZE",
    "DEFAULT_RECOGNISER",
    "DOUBTFUL_CONFIDENCE",
    "HEARD_CONFIDENCE",
    "LANGUAGE_IDS",
    "LANGUAGE_NAMES",
    "LEVEL_MS",
    "PARAFORMER_MODEL",
    "PUNCTUATION_MODEL",
    "PUNCTUATION_ONLINE_MODEL",
    "RECOGNISERS",
    "ROW_MS",
    "SAMPLES_PER_MS",
    "SAMPLE_RATE",
    "SENSEVOICE_ALIGNMENT_MODEL",
    "SENSEVOICE_FRAMES_MODEL",
    "SENSEVOICE_MODEL",
    "SPEAKER_MODEL",
    "STREAMING_MODEL",
    "TEXT_NORM_IDS",
    "UNSPACED",
    "VAD_MODEL",
    "ChunkSize",
    "ErrorCount",
    "Hotword",
    "are_spaced",
    "character_error_rate",
    "checked_hotwords",
    "chunk_size_of",
    "count_edits",
    "count_errors",
    "doubtful_below",
    "is_doubtful",
    "is_heard",
    "join_hotwords",
    "joinable",
    "language_id",
    "language_name",
    "nearest_served_chunk_size",
    "parse_chunk_size",
    "parse_hotwords",
    "parse_served_chunk_size",
    "read_language",
    "read_text",
    "recorded",
    "requested_hotwords",
    "text_norm_id",
    "traces_endpoint",
    "triton_name",
    "write_hotwords",
]
