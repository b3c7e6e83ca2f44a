"""Turns a Sentence and a Voice into 16 kHz samples and word start times."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr

from asr_contract import SAMPLE_RATE
from asr_core.features import Waveform

from .espeak import Espeak
from .sentence import Sentence
from .voices import Voice

WordTime = tuple[str, int]
"""A word and its start in ms."""

FESTIVAL_VOICES = {
    "kal": "kal_diphone",
    "ked": "ked_diphone",
    "slt": "cmu_us_slt_arctic_hts",
}


class SynthesisError(RuntimeError):
    """A synthesiser gave no usable sound."""


@cache
def _espeak(data_parent: Path | None) -> Espeak:
    return Espeak(data_parent)


class Synthesiser:
    """Reads sentences with espeak-ng, flite or festival, and trims the silence around them."""

    def __init__(self, espeak_data: Path | None = None) -> None:
        """espeak_data: parent of the data folder with the invented voices, if they are wanted."""
        self._espeak_data = espeak_data

    def speak(self, sentence: Sentence, voice: Voice) -> tuple[Waveform, list[WordTime]]:
        """Samples (float32, 16 kHz) and word start times in ms (espeak only, else empty).

        Raises SynthesisError when the engine returns silence.
        """
        if voice.engine == "espeak":
            return self._speak_espeak(sentence, voice)
        text = sentence.punctuated()
        waveform, rate = _run_engine(voice, text)
        waveform = soxr.resample(waveform, rate * voice.speed, SAMPLE_RATE).astype(np.float32)
        first, last = _sound_bounds(waveform)
        return waveform[first:last], []

    def _speak_espeak(self, sentence: Sentence, voice: Voice) -> tuple[Waveform, list[WordTime]]:
        text, starts = "", {}
        for word in sentence.words:
            if word.is_punctuation:
                text = text.rstrip() + word.sound + " "
                continue
            text += " "
            starts[len(text) + 1] = word.text
            text += word.sound
        engine = _espeak(self._espeak_data)
        waveform, events = engine.speak(
            text, voice.name, int(voice.rate), voice.pitch, voice.pitch_range, voice.word_gap
        )
        if len(waveform) < 500:
            raise SynthesisError(f"{voice.name} said nothing for {text!r}")
        waveform = soxr.resample(waveform, engine.sample_rate * voice.speed, SAMPLE_RATE)
        first, last = _sound_bounds(waveform)
        shift_ms = first * 1000 // SAMPLE_RATE
        times = [
            (starts[position], max(0, int(start_ms / voice.speed) - shift_ms))
            for position, start_ms in events
            if position in starts
        ]
        return waveform[first:last].astype(np.float32), times


def _sound_bounds(waveform: Waveform) -> tuple[int, int]:
    """First and last sample above -50 dB of the peak, with 20 ms to spare."""
    loud = np.flatnonzero(np.abs(waveform) > np.abs(waveform).max() * 0.003)
    if len(loud) == 0:
        raise SynthesisError("the synthesiser returned silence")
    spare = SAMPLE_RATE // 50
    return max(0, int(loud[0]) - spare), min(len(waveform), int(loud[-1]) + spare)


def _run_engine(voice: Voice, text: str) -> tuple[Waveform, int]:
    """Runs flite or festival's text2wave; returns samples and their rate in Hz."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "speech.wav"
        if voice.engine == "flite":
            command = ["flite", "-voice", voice.name, "--setf", f"duration_stretch={voice.rate}"]
            command += ["-t", text, "-o", str(path)]
            subprocess.run(command, check=True, capture_output=True)
        else:
            name = FESTIVAL_VOICES[voice.name]
            command = ["text2wave", "-o", str(path), "-eval", f"(voice_{name})"]
            command += ["-eval", f"(Parameter.set 'Duration_Stretch {voice.rate:.2f})"]
            subprocess.run(command, check=True, capture_output=True, input=text.encode())
        samples, rate = soundfile.read(path, dtype="float32")
    return samples, rate
