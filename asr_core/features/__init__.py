"""Waveforms to what encoders take: the front end of every model that hears.

    float32 [S], 16 kHz ─ fbank ─ [T, 80] ─ lfr ─ [T / 6, 560] ─ cmvn ─ features
                          (asrfront; `choice` says which)

`frontend` chains the three as a model's `config.yaml` and `am.mvn` say, and lays out batches.
`waveform` checks a request's audio and cuts its rows, and `requests` answers those of the feature
extractors. `grouping` says which rows share a length, `equal_lengths` runs those of one length.
"""

from asr_core.features.choice import DEFAULT_FBANK, make_fbank, make_streaming_fbank
from asr_core.features.cmvn import Cmvn, load_cmvn
from asr_core.features.equal_lengths import encode_equal_lengths
from asr_core.features.fbank import (
    FRAME_LENGTH_MS,
    FRAME_LENGTH_SAMPLES,
    FRAME_SHIFT_MS,
    FRAME_SHIFT_SAMPLES,
    NUM_MEL_BINS,
    FbankExtractor,
    KaldiNativeFbank,
    StreamingFbankExtractor,
)
from asr_core.features.frontend import (
    Features,
    Frontend,
    batch_features,
    load_frontend,
    pad_features,
    read_frontend_conf,
)
from asr_core.features.grouping import group_by_length
from asr_core.features.lfr import (
    FEATURE_DIM,
    LFR_FRAME_MS,
    LFR_SHIFT,
    LFR_WINDOW,
    num_lfr_frames,
    stack_frames,
)
from asr_core.features.requests import LIMITS_FILE, FeatureService, load_feature_service
from asr_core.features.waveform import Waveform, split_rows

__all__ = [
    "DEFAULT_FBANK",
    "FEATURE_DIM",
    "FRAME_LENGTH_MS",
    "FRAME_LENGTH_SAMPLES",
    "FRAME_SHIFT_MS",
    "FRAME_SHIFT_SAMPLES",
    "LFR_FRAME_MS",
    "LFR_SHIFT",
    "LFR_WINDOW",
    "LIMITS_FILE",
    "NUM_MEL_BINS",
    "Cmvn",
    "FbankExtractor",
    "FeatureService",
    "Features",
    "Frontend",
    "KaldiNativeFbank",
    "StreamingFbankExtractor",
    "Waveform",
    "batch_features",
    "encode_equal_lengths",
    "group_by_length",
    "load_cmvn",
    "load_feature_service",
    "load_frontend",
    "make_fbank",
    "make_streaming_fbank",
    "num_lfr_frames",
    "pad_features",
    "read_frontend_conf",
    "split_rows",
    "stack_frames",
]
