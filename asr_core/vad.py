"""FSMN-VAD over many streams at a time, with the encoder injected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asr_core.cmvn import Cmvn
from asr_core.config import load_config
from asr_core.fbank import FbankExtractor
from asr_core.frontend import check_frontend_conf, load_cmvn_for, make_fbank, pad_features
from asr_core.grouping import group_by_length
from asr_core.vad_detector import Segment, SegmentDetector
from asr_core.vad_frontend import VadFrontend
from asr_core.vad_options import VadOptions, options_from_config

Float = NDArray[np.float32]

MAX_FRAMES = 1000  # of one row in one run of the encoder: 10 s
MAX_PADDING = 0.5  # share of a batch that may be padding; the encoder is cheap, a run less so
