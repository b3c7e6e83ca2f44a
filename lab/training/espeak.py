"""espeak-ng through its C library: samples and word times, no process per utterance.

Interface as declared in espeak-ng's public header speak_lib.h.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import numpy.typing as npt

_SYNCHRONOUS = 2
_CHARACTERS_UTF8 = 1
_POSITION_CHARACTER = 1
_PARAMETERS = {"rate": 1, "pitch": 3, "range": 4, "word_gap": 7}
_EVENT_END, _EVENT_WORD = 0, 1


class _EventId(ctypes.Union):
    _fields_ = [
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    ]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


LIBRARY = "libespeak-ng.so.1"


class EspeakError(RuntimeError):
    """espeak-ng refused a voice or could not start."""


def installed_data() -> Path:
    """The data folder that the library uses by itself; call before an Espeak is made."""
    library = ctypes.CDLL(LIBRARY)
    library.espeak_Initialize(_SYNCHRONOUS, 0, None, 1)
    path = ctypes.c_char_p()
    library.espeak_Info.restype = ctypes.c_char_p
    library.espeak_Info(ctypes.byref(path))
    library.espeak_Terminate()
    return Path((path.value or b"").decode())


class Espeak:
    """One espeak-ng engine; the library allows one per process."""

    def __init__(self, data_parent: Path | None) -> None:
        """Loads the library; data_parent: holds an espeak-ng-data to use, else the installed one.

        Raises EspeakError when it does not start.
        """
        self._library = ctypes.CDLL(LIBRARY)
        path = str(data_parent.absolute()).encode() if data_parent else None
        self.sample_rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, path, 1))
        if self.sample_rate <= 0:
            raise EspeakError("espeak_Initialize failed")
        self._blocks: list[bytes] = []
        self._words: list[tuple[int, int]] = []
        self._callback = _Callback(self._collect)
        self._library.espeak_SetSynthCallback(self._callback)

    def _collect(self, samples, count, events) -> int:  # type: ignore[no-untyped-def]
        if samples and count > 0:
            self._blocks.append(ctypes.string_at(samples, 2 * count))
        index = 0
        while events[index].type != _EVENT_END:
            if events[index].type == _EVENT_WORD:
                self._words.append((events[index].text_position, events[index].audio_position))
            index += 1
        return 0

    def speak(
        self, text: str, voice: str, rate: int, pitch: int, pitch_range: int, word_gap: int
    ) -> tuple[npt.NDArray[np.float32], list[tuple[int, int]]]:
        """Reads `text` aloud.

        rate: words per minute; pitch and pitch_range: 0-100; word_gap: units of 10 ms.
        Returns float32 samples in [-1, 1] at `sample_rate`, and for each spoken word its
        position in `text` (characters, from 1) and its start in ms.

        Raises EspeakError when the voice is unknown.
        """
        # Each time: the file of an invented voice may be another by now under the same name.
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise EspeakError(f"espeak-ng has no voice {voice!r}")
        values = {"rate": rate, "pitch": pitch, "range": pitch_range, "word_gap": word_gap}
        for name, number in _PARAMETERS.items():
            self._library.espeak_SetParameter(number, int(values[name]), 0)
        self._blocks, self._words = [], []
        data = text.encode()
        self._library.espeak_Synth(
            data, len(data) + 1, 0, _POSITION_CHARACTER, 0, _CHARACTERS_UTF8, None, None
        )
        samples = np.frombuffer(b"".join(self._blocks), dtype=np.int16)
        return samples.astype(np.float32) / 32768, list(self._words)
