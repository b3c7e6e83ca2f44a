"""The names of tensors and request parameters at the models' public boundary.

Clients in the wild send and read them, so they stay. Shapes and types are in
`asr_client.protocol` and `asr_client.streaming.protocol`; `config.pbtxt` and `model.py` of a model
spell its own tensors out.
"""

from __future__ import annotations

# Audio, of every model that hears
WAV = "WAV"
WAV_LENS = "WAV_LENS"

# SenseVoice's prompt
LANGUAGE = "LANGUAGE"
TEXT_NORM = "TEXT_NORM"

# Inputs of a recogniser: those it must have, and those it may have
AUDIO_INPUTS = frozenset({WAV, WAV_LENS})
PROMPT_INPUTS = frozenset({LANGUAGE, TEXT_NORM})

# What a recogniser answers
TRANSCRIPTS = "TRANSCRIPTS"
TEXT = "TEXT"  # what punctuation models take and answer, too
DETECTED_LANGUAGE = "DETECTED_LANGUAGE"
EMOTION = "EMOTION"
EVENT = "EVENT"
TOKENS = "TOKENS"
TIMESTAMPS = "TIMESTAMPS"
CONFIDENCE = "CONFIDENCE"
HOTWORDS_LEFT_OUT = "HOTWORDS_LEFT_OUT"  # what is wrong with each word that is not used

# Alignment: what frames hold, beside the words, and how loud they are
CANDIDATE_IDS = "CANDIDATE_IDS"
CANDIDATE_SCORES = "CANDIDATE_SCORES"
FRAMES = "FRAMES"  # of each row
LEVELS = "LEVELS"

# What a model answers that is asked in sequences
IS_FINAL = "IS_FINAL"
SEGMENTS = "SEGMENTS"  # the VAD's
CACHE = "CACHE"  # words before a text that goes on; taken and answered

# What punctuation models answer beside TEXT, for each word; what alignment is asked for
WORDS = "WORDS"
MARKS = "MARKS"
PUNCTUATIONS = "PUNCTUATIONS"  # ids of the marks

# What the speaker model answers: a vector for each recording
EMBEDDING = "EMBEDDING"

# Parameters of requests
HOTWORDS_PARAMETER = "hotwords"
CHUNK_SIZE_PARAMETER = "chunk_size"
