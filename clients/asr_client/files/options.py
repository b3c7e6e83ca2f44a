"""What may be asked of a file's transcription."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..audio.conversion import Channels, checked_channels
from ..errors import OptionError
from ..hotwords import Hotwords
from ..known_speakers import KnownSpeakers, KnownSpeakersInput, known_speakers_of
from ..options import checked_language
from ..speaker_count import SpeakerCount, checked_speakers

MAX_SEGMENT_TIME = "max_single_segment_time"

# FunASR's names, and the values that make sense for a whole file (times in ms). Its other options
# stop after one utterance, which would lose the rest of the file.
_VAD_RANGES: dict[str, tuple[float, float]] = {
    "max_end_silence_time": (0, 10_000),
    MAX_SEGMENT_TIME: (1_000, 60_000),
    "window_size_ms": (10, 10_000),
    "sil_to_speech_time_thres": (10, 10_000),
    "speech_to_sil_time_thres": (0, 10_000),
    "do_extend": (0, 1),
    "lookback_time_start_point": (0, 10_000),
    "lookahead_time_end_point": (0, 10_000),
    "speech_noise_thres": (-1, 1),
    "speech_2_noise_ratio": (1e-3, 1e3),
    "snr_thres": (-200, 200),
    "noise_frame_num_used_for_snr": (1, 1_000_000),
    "decibel_thres": (-200, 200),
}
VAD_OPTIONS = tuple(_VAD_RANGES)

# Half a minute is what the recognisers were trained with; the VAD's own default is 60 s.
DEFAULT_SEGMENT_MS = 30_000

# The default of FunASR's models for what is added to the end of speech.
DEFAULT_LOOKAHEAD_MS = 100

# Enough to keep a CPU busy and to give a GPU something to batch; a file that has more under way
# makes others wait.
DEFAULT_IN_FLIGHT = 4
_MAX_IN_FLIGHT = 64


@dataclass(frozen=True)
class FileOptions:
    """How a file is transcribed.

    Attributes:
        model: "sensevoice", "paraformer", or the name of a Triton model with the same tensors.
        language: as `Client.transcribe`.
        itn: figures for spoken numbers.
        punctuation: marks. SenseVoice writes marks and figures itself, both or neither: with
            `itn` alone its plain text is taken and figures are written here.
        timestamps: words with their times; sentences have times in any case.
        hotwords: as `Client.transcribe`.
        vad_options: name → value, of `VAD_OPTIONS`; what is left out is the model's default, or
            `DEFAULT_SEGMENT_MS`.
        in_flight: segments recognised, or waiting to be read, at a time.
        channels: "mix", the number of one (from 1), or "each" as a speaker of its own.
        speakers: how many there are, or "auto" to find their number; None to not tell them apart.
        known_speakers: who is called by name where `speakers` are told apart: `KnownSpeakers`, a
            mapping of names to recordings, or the path of a `speakers.json`.
    """

    model: str = "sensevoice"
    language: str = "auto"
    itn: bool = True
    punctuation: bool = True
    timestamps: bool = True
    hotwords: Hotwords = None
    vad_options: Mapping[str, float] = field(default_factory=dict)
    in_flight: int = DEFAULT_IN_FLIGHT
    channels: Channels = "mix"
    speakers: SpeakerCount | None = None
    known_speakers: KnownSpeakersInput = None

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            OptionError: one makes no sense.
        """
        checked_language(self.language)
        checked_channels(self.channels)
        checked_speakers(self.speakers)
        if self.speakers is not None and self.channels == "each":
            raise OptionError(
                "speakers: expected with the mix or one channel; channels='each' has a speaker in "
                "each"
            )
        if self.known_speakers is not None and self.speakers is None:
            raise OptionError("known_speakers: expected with speakers, a number or 'auto'")
        object.__setattr__(self, "known_speakers", known_speakers_of(self.known_speakers))
        for name, value in self.vad_options.items():
            check_vad_option(name, value)
        count = self.in_flight
        if (
            isinstance(count, bool)
            or not isinstance(count, int)
            or not 1 <= count <= _MAX_IN_FLIGHT
        ):
            raise OptionError(f"in_flight: expected 1 to {_MAX_IN_FLIGHT}; got {count!r}")

    @property
    def known(self) -> KnownSpeakers | None:
        """Return who is called by name."""
        return known_speakers_of(self.known_speakers)

    @property
    def max_segment_ms(self) -> int:
        """Longest segment, in ms."""
        return int(self.vad_options.get(MAX_SEGMENT_TIME, DEFAULT_SEGMENT_MS))

    @property
    def history_ms(self) -> int:
        """How long before the VAD notices speech it may begin, at least."""
        names = ("window_size_ms", "lookback_time_start_point")
        return int(sum(self.vad_options.get(name, 0) for name in names)) + 1_000

    @property
    def silence_behind_ms(self) -> int:
        """How much the VAD adds to the end of speech."""
        if not self.vad_options.get("do_extend", 1):
            return 0
        return int(self.vad_options.get("lookahead_time_end_point", DEFAULT_LOOKAHEAD_MS))

    @property
    def vad_parameters(self) -> dict[str, str]:
        """Return the parameters of the request that starts the VAD's sequence."""
        options = {MAX_SEGMENT_TIME: DEFAULT_SEGMENT_MS, **self.vad_options}
        return {name: f"{value:.10g}" for name, value in options.items()}


def check_vad_option(name: str, value: float) -> None:
    """Raise OptionError unless a VAD option is known and in its range."""
    if name not in _VAD_RANGES:
        raise OptionError(f"vad_options: expected {', '.join(VAD_OPTIONS)}; got {name!r}")
    low, high = _VAD_RANGES[name]
    is_number = isinstance(value, (int, float)) and math.isfinite(value)
    if not is_number or not low <= value <= high:
        raise OptionError(f"vad_options: {name}: expected {low:g} to {high:g}; got {value!r}")
