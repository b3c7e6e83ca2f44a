"""FSMN-VAD's decisions: the probability of silence of each frame to segments of speech."""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from asr_core.features import FRAME_SHIFT_MS
from asr_core.vad.options import SINGLE_UTTERANCE, VadOptions

UNKNOWN = -1  # in a segment of a stream: its start was given before, or its end comes later
_NO_NOISE_YET = None

SpanMs = tuple[int, int]  # start and end in ms


class _Change(Enum):
    """What a frame does to the state of the window."""

    TO_SPEECH = auto()
    TO_SILENCE = auto()
    SPEECH = auto()
    SILENCE = auto()


class SpeechWindow:
    """Smooths frames: speech begins and ends when enough of the last frames say so."""

    def __init__(self, options: VadOptions) -> None:
        self.size = options.window_size_ms // FRAME_SHIFT_MS
        self._to_speech = options.sil_to_speech_time_thres // FRAME_SHIFT_MS
        self._to_silence = options.speech_to_sil_time_thres // FRAME_SHIFT_MS
        self.reset()

    def reset(self) -> None:
        """Forget all frames."""
        self._flags = deque([False] * self.size, maxlen=self.size)
        self._count = 0
        self._in_speech = False

    def accept(self, is_speech: bool) -> _Change:
        """Take the next frame."""
        self._count += is_speech - self._flags[0]
        self._flags.append(is_speech)
        if not self._in_speech and self._count >= self._to_speech:
            self._in_speech = True
            return _Change.TO_SPEECH
        if self._in_speech and self._count <= self._to_silence:
            self._in_speech = False
            return _Change.TO_SILENCE
        return _Change.SPEECH if self._in_speech else _Change.SILENCE


class SegmentDetector:
    """Finds the segments of one stream; they do not depend on how it was cut.

    A stream reports `(start, -1)` when a segment begins, `(-1, end)` when it ends, and `(start,
    end)` where both fall between two calls of `take_segments`. Memory does not grow.

    Source: FunASR `funasr_onnx/utils/e2e_vad.py`, `E2EVadModel`. Unlike there, a segment that
    begins with the very last frame gets its end in a stream too; a frame below `decibel_thres` is
    counted once, not twice; probabilities of exactly 0 and 1 do not raise; and each frame is
    compared with its own level (a stream's levels fall behind by four frames per call there).
    """

    def __init__(self, options: VadOptions) -> None:
        self._options = options
        self._window = SpeechWindow(options)
        self._end_silence_ms = options.max_end_silence_time - options.speech_to_sil_time_thres
        self._lookback = self._lookahead = 0  # frames
        if options.do_extend:
            self._lookback = options.lookback_time_start_point // FRAME_SHIFT_MS
            self._lookahead = options.lookahead_time_end_point // FRAME_SHIFT_MS
        self._noise_decibel: float | None = _NO_NOISE_YET
        self._frame = 0  # index of the next frame
        self._free = 0  # first frame that a next segment may start with
        self._start: int | None = None  # first frame of the open segment
        self._last_speech = 0  # last frame known to belong to it
        self._silence = 0  # frames of silence in a row
        self._finished = False
        self._segments: list[SpanMs] = []
        self._announced = False  # the open segment's start was reported

    def accept(
        self, silence_probs: NDArray[np.float32], decibels: NDArray[np.float32], is_final: bool
    ) -> None:
        """Take the next frames.

        Args:
            silence_probs: float32 [T], the probability of silence.
            decibels: float32 [T], the level.
            is_final: nothing follows; an open segment ends with the last frame.
        """
        probs, levels = silence_probs.tolist(), decibels.tolist()
        last = len(probs) - 1
        for index, (prob, level) in enumerate(zip(probs, levels, strict=True)):
            if self._finished:
                return
            self._accept_frame(self._is_speech(prob, level), is_final and index == last)
            self._frame += 1
        if is_final and self._start is not None:
            self._close(self._frame - 1)

    def take_segments(self) -> list[SpanMs]:
        """Return what was found since the last call."""
        segments, self._segments = self._segments, []
        if self._start is not None and not self._announced:
            segments.append((self._start * FRAME_SHIFT_MS, UNKNOWN))
            self._announced = True
        return segments

    def _is_speech(self, silence_prob: float, decibel: float) -> bool:
        """Judge one frame by itself, and follow the level of the noise."""
        options = self._options
        if decibel < options.decibel_thres:
            return False
        noise_prob = silence_prob**options.speech_2_noise_ratio
        if 1.0 - silence_prob >= noise_prob + options.speech_noise_thres:
            noise = -100.0 if self._noise_decibel is None else self._noise_decibel
            return decibel - noise >= options.snr_thres
        if self._noise_decibel is None:
            self._noise_decibel = decibel
        else:
            frames = options.noise_frame_num_used_for_snr
            self._noise_decibel += (decibel - self._noise_decibel) / frames
        return False

    def _accept_frame(self, is_speech: bool, is_final: bool) -> None:
        change = self._window.accept(is_speech)
        self._silence = self._silence + 1 if change is _Change.SILENCE else 0
        if self._start is not None:
            self._continue_segment(change, is_final)
        elif change is _Change.TO_SPEECH:
            self._start = max(self._free, self._frame - self._window.size - self._lookback)
            self._last_speech = self._frame
        elif (
            self._options.detect_mode == SINGLE_UTTERANCE
            and self._silence * FRAME_SHIFT_MS > self._options.max_start_silence_time
        ):
            self._finished = True

    def _continue_segment(self, change: _Change, is_final: bool) -> None:
        """Extend the open segment by a frame, or end it."""
        silence_ms = self._silence * FRAME_SHIFT_MS
        length_ms = (self._frame - (self._start or 0) + 1) * FRAME_SHIFT_MS
        if change is _Change.SILENCE and silence_ms >= self._end_silence_ms:
            self._close(self._frame - self._frames_after_end())
        elif length_ms > self._options.max_single_segment_time or is_final:
            self._close(self._frame)
        elif change is not _Change.SILENCE or self._silence <= self._lookahead:
            self._last_speech = self._frame

    def _frames_after_end(self) -> int:
        """Return how many frames of the silence that ended a segment do not belong to it."""
        frames = int(self._end_silence_ms / FRAME_SHIFT_MS)
        if self._options.do_extend:
            frames -= self._lookahead + 1
        return max(frames, 0)

    def _close(self, last_frame: int) -> None:
        """End the open segment with a frame."""
        start = UNKNOWN if self._announced else (self._start or 0) * FRAME_SHIFT_MS
        self._segments.append((start, (last_frame + 1) * FRAME_SHIFT_MS))
        self._free = max(self._last_speech + 1, last_frame) + 1
        self._start, self._announced = None, False
        self._silence = 0
        self._window.reset()
        self._finished = self._options.detect_mode == SINGLE_UTTERANCE
