"""What ffmpeg says on stderr: the duration, the start, and what is wrong with the file.

Its text is partly the file's (titles, names), so it is read in bounded pieces and never trusted
with more than a message and a progress bar.
"""

from __future__ import annotations

import re

from ...errors import AudioError

MAX_LINE_BYTES = 1_000  # the rest of a longer line is dropped
MAX_PROBLEMS = 5  # the first ones say what is wrong, later ones repeat it

# The two spaces keep a title of the same words out: those are indented further.
_DURATION = re.compile(r"\[info\]   Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?), ")
_RATE = re.compile(r"\[info\] {3}(?:  )?Stream #0:\d+.*?: Audio: .*?, (\d+) Hz")
_FIRST_SAMPLE = re.compile(
    r"\[(?:Parsed_ashowinfo_\d+ @ \w+\] \[info|silk)\] n: *0(?: pts:\S+)? pts_time:(\S+)"
)
_GAP = re.compile(r".*\[error\] Failed to compensate for timestamp delta of (\d+(?:\.\d+)?)$")
_STREAM = re.compile(
    r"\[info\] {2,6}Stream #0:[^>]*: (?:Audio|Video|Subtitle|Data): (?!.*\(attached pic\))"
)
_AUDIO_TRACK = re.compile(r"\[info\] {2,6}Stream #0:(\d+)[^>]*?: Audio: ")
_PROBLEM = re.compile(r"\[(error|fatal|panic)\] (?P<text>.*)")
_LEVEL = re.compile(r"\[(debug|verbose|info|warning|error|fatal|panic)\] ")
_ESTIMATED = "Estimating duration from bitrate"
_CORRUPT = "corrupt input packet"  # a warning to ffmpeg, the sign of a cut file to us

# Of an allocation, and of a thread's stack.
_OUT_OF_MEMORY = ("Cannot allocate memory", "pthread_create() failed")

_NO_RESAMPLER = "Requested resampling engine is unavailable"

_REFUSED = ("not on whitelist", "Not detecting m3u8")

# Of what overlaps in time what stands before it; a number of samples of the output.
_DROPPED = re.compile(r".*\[SWR @ \w+\] \[verbose\] discarding (\d+) audio samples$")
_ADDED = re.compile(r".*\[SWR @ \w+\] \[verbose\] adding (\d+) audio samples of silence$")
_CHANGED = re.compile(
    r".*\[info\] Reconfiguring filter graph .* audio parameters changed to (\d+) Hz"
)

# GSM has no header: ffmpeg takes other bytes for it, such as the silence of A-law.
_NOT_GSM = "Missing GSM magic"

# What follows from another problem, and says less.
_CONSEQUENCES = (
    "Error opening",
    "Error parsing options",
    "Failed to set value",
    "Error submitting packet to decoder",
    "Task finished with error",
    "Terminating thread",
    "Nothing was written into output file",
    "Could not open encoder",
    "Conversion failed",
)


class FfmpegLog:
    """Collects what matters of ffmpeg's messages, in bounded memory.

    Attributes:
        duration_s: what the file says its duration is, in seconds; None if it does not.
        estimated: whether the duration is only ffmpeg's guess from the bit rate.
        sample_rate: of the first audio track, in Hz; None until it is known.
        start_s: when the first sample is heard, in seconds of the file; None until it is known.
        gap_s: a gap between packets that was too long to be filled, in seconds; None without.
        dropped_samples: of the output, left out for they overlap in time what stands before them.
        added_samples: of the output, silence in gaps between packets.
        changes_rate: the track has another sample rate from somewhere on.
        is_misread: what has no header is not what it was taken for.
        streams: how many the file has, a cover picture not counted.
        audio_tracks: the numbers of those that are audio, of which ffmpeg decodes the first.
        lacks_resampler: this ffmpeg was made without soxr.
        problems: the first error messages, without repetitions.
        is_ffmpegs: whether ffmpeg has said anything, and not the system in its place.
        first_line: of all that was said.
    """

    def __init__(self) -> None:
        self.duration_s: float | None = None
        self.estimated = False
        self.sample_rate: int | None = None
        self.start_s: float | None = None
        self.gap_s: float | None = None
        self.dropped_samples = 0
        self.added_samples = 0
        self.changes_rate = False
        self.is_misread = False
        self.streams = 0
        self.audio_tracks: set[int] = set()
        self.problems: list[str] = []
        self.is_ffmpegs = False
        self.first_line = ""
        self._partial = b""
        self._no_audio_stream = False
        self._refused_format = False
        self._out_of_memory = False
        self.lacks_resampler = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of stderr."""
        *lines, rest = (self._partial + data).split(b"\n")
        for line in lines:
            self._line(line[:MAX_LINE_BYTES].decode("utf-8", "replace").rstrip())
        self._partial = rest[:MAX_LINE_BYTES]

    def _line(self, line: str) -> None:
        self.is_ffmpegs |= _LEVEL.search(line) is not None
        self.first_line = self.first_line or line
        first_sample = _FIRST_SAMPLE.match(line)
        if first_sample is not None:
            if self.start_s is None:
                self.start_s = _seconds(first_sample[1])
            return
        duration = _DURATION.match(line)
        if duration is not None and self.duration_s is None:
            hours, minutes, seconds = duration.groups()
            self.duration_s = 3600 * int(hours) + 60 * int(minutes) + float(seconds)
        rate = _RATE.match(line)
        if rate is not None and self.sample_rate is None:
            self.sample_rate = int(rate[1])
        gap = _GAP.match(line)
        if gap is not None and self.gap_s is None:
            self.gap_s = float(gap[1])
        self.estimated |= _ESTIMATED in line
        if self.start_s is None:  # behind it ffmpeg tells of its output
            self.streams += _STREAM.match(line) is not None
            track = _AUDIO_TRACK.match(line)
            if track is not None:  # a track of several programs is told of with each
                self.audio_tracks.add(int(track[1]))
        self.lacks_resampler |= _NO_RESAMPLER in line
        self._no_audio_stream |= "matches no streams" in line
        self._refused_format |= any(sign in line for sign in _REFUSED)
        dropped = _DROPPED.match(line)
        if dropped is not None:
            self.dropped_samples += int(dropped[1])
        added = _ADDED.match(line)
        if added is not None:
            self.added_samples += int(added[1])
        changed = _CHANGED.match(line)
        self.changes_rate |= changed is not None and int(changed[1]) != self.sample_rate
        self.is_misread |= _NOT_GSM in line
        self._out_of_memory |= any(sign in line for sign in _OUT_OF_MEMORY)
        problem = _PROBLEM.search(line)
        if problem is not None:
            text = problem["text"]
        elif _CORRUPT in line and "[warning]" in line:
            text = _CORRUPT
        else:
            return
        known = text in self.problems or text.startswith(_CONSEQUENCES)
        if text and not known and len(self.problems) < MAX_PROBLEMS:
            self.problems.append(text)

    def failure(self, name: str) -> AudioError:
        """Return the error for a file of which not a single sample came.

        Args:
            name: what the user calls the file.
        """
        detail = f" ({self.problems[0]})" if self.problems else ""
        if self._refused_format:
            return AudioError(
                f"{name}: expected a file that holds its audio itself; got a format that is not "
                "read, such as a text, a playlist, a session description, pictures, or a codec "
                "of few programs (aptX, SBC, DFPWM, G.723.1, TrueHD)"
            )
        if self._no_audio_stream:
            return AudioError(f"{name}: expected a file with an audio track; got one without")
        if self._out_of_memory:
            return AudioError(
                f"{name}: expected a file that is decoded in a bounded amount of memory; got one "
                f"that needs more for its size{detail}"
            )
        return AudioError(
            f"{name}: expected audio or video that ffmpeg reads; got something else or a broken "
            f"file{detail}. Of raw samples the rate and the format must be told"
        )


def _seconds(text: str) -> float:
    """Return a time that ffmpeg printed; NOPTS, which it prints for an unknown one, is 0."""
    try:
        return max(float(text), 0.0)
    except ValueError:
        return 0.0
