"""Waveforms to what encoders take: the front end of every model that hears.

    float32 [S], 16 kHz ─ fbank ─ [T, 80] ─ lfr ─ [T / 6, 560] ─ cmvn ─ features
                          (kaldifeat_fbank on a GPU)

`frontend` chains the three as a model's `config.yaml` and `am.mvn` say, and lays out batches.
`waveform` checks a request's audio and cuts its rows, `grouping` says which requests share a
length, and `requests` answers those of the feature extractors with them.
"""

from asr_core.features.cmvn import Cmvn, load_cmvn
from asr_core.features.fbank import (
    FRAME_LENGTH_MS,
    FRAME_LENGTH_SAMPLES,
    FRAME_SHIFT_MS,
    FRAME_SHIFT_SAMPLES,
    FbankExtractor,
    KaldiNativeFbank,
    StreamingFbankExtractor,
)
from asr_core.features.frontend import (
    Frontend,
    batch_features,
    load_frontend,
    make_fbank,
    pad_features,
    read_frontend_conf,
)
from asr_core.features.grouping import group_by_length
from asr_core.features.lfr import LFR_SHIFT, LFR_WINDOW, num_lfr_frames, stack_frames
from asr_core.features.requests import LIMITS_FILE, Features, FeatureService, load_feature_service
from asr_core.features.waveform import Waveform, split_rows

__all__ = [
    "FRAME_LENGTH_MS",
    "FRAME_LENGTH_SAMPLES",
    "FRAME_SHIFT_MS",
    "FRAME_SHIFT_SAMPLES",
    "LFR_SHIFT",
    "LFR_WINDOW",
    "LIMITS_FILE",
    "Cmvn",
    "FbankExtractor",
    "FeatureService",
    "Features",
    "Frontend",
    "KaldiNativeFbank",
    "StreamingFbankExtractor",
    "Waveform",
    "batch_features",
    "group_by_length",
    "load_cmvn",
    "load_feature_service",
    "load_frontend",
    "make_fbank",
    "num_lfr_frames",
    "pad_features",
    "read_frontend_conf",
    "split_rows",
    "stack_frames",
]
