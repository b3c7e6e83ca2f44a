"""What `triton-asr transcribe` is asked to recognise: files, and lists of files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .common import UsageError

# Files of a directory that are taken; a file that is named itself may be called anything.
_AUDIO = "aac ac3 aif aiff amr ape au caf dts flac m4a m4b mka mp2 mp3 oga ogg opus wav wma wv"
_VIDEO = "3gp asf avi flv m2ts m4v mkv mov mp4 mpeg mpg mts mxf ogv ts vob webm wmv"
MEDIA_SUFFIXES = frozenset(f".{suffix}" for suffix in f"{_AUDIO} {_VIDEO}".split())


@dataclass(frozen=True)
class InputFile:
    """A recording to recognise: its path, and the name it goes by in Kaldi's formats.

    `label` is what the text format prints: the path, or the id that a wav.scp gives.
    `output_name` is what its result's file is called, without a suffix: as the file, below the
    directory that was named, or the id.
    """

    path: str
    utterance_id: str
    label: str
    output_name: str


def collect(files: Sequence[str], scp_files: Sequence[str]) -> list[InputFile]:
    """Return the recordings in the order they were named.

    A file `*.scp` is a list, and a directory means the audio and video files in it and below it.

    Raises:
        UsageError: there is none, or a list or a directory cannot be read.
    """
    sources: list[InputFile] = []
    for name in files:
        if name.endswith(".scp"):
            sources += read_wav_scp(name)
        elif Path(name).is_dir():
            sources += read_directory(name)
        else:
            sources.append(_input_file(name, Path(name).stem))
    for name in scp_files:
        sources += read_wav_scp(name)
    if not sources:
        raise UsageError("nothing to transcribe: give files or --wav-scp")
    return sources


def read_directory(folder: str) -> list[InputFile]:
    """Return the audio and video files of a directory and those below it, in order of name.

    Raises:
        UsageError: it cannot be read, or there is none.
    """

    def refuse(error: OSError) -> None:
        raise UsageError(f"{error.filename}: {error.strerror or error}") from error

    paths = [
        Path(parent, name)
        for parent, _, names in os.walk(folder, onerror=refuse)
        for name in names
        if Path(name).suffix.lower() in MEDIA_SUFFIXES and not name.startswith(".")
    ]
    if not paths:
        raise UsageError(f"{folder}: no audio or video file in this directory")
    return [
        _input_file(str(path), str(path.relative_to(folder).with_suffix("")))
        for path in sorted(paths)
    ]


def _input_file(path: str, output_name: str) -> InputFile:
    """Return a recording that is named by its path."""
    # A Kaldi id ends at the first space, so a name with spaces needs another character.
    utterance_id = "_".join(Path(path).stem.split()) or path
    return InputFile(path, utterance_id, path, output_name)


def read_wav_scp(scp_path: str) -> list[InputFile]:
    """Read a Kaldi wav.scp: `id path` a line; paths are relative to the working directory.

    Raises:
        UsageError: it cannot be read, a line is malformed, an id is repeated, or a line is a
            shell pipe (`id command |`), which is never run.
    """
    sources: list[InputFile] = []
    first_line_of: dict[str, int] = {}
    for number, line in enumerate(read_lines(scp_path), 1):
        if not line.strip():
            continue
        where = f"{scp_path}, line {number}"
        fields = line.split(maxsplit=1)
        if len(fields) != 2:
            raise UsageError(f"{where}: expected 'id path'; got {line.strip()!r}")
        utterance_id, path = fields[0], fields[1].strip()
        if path.endswith("|") or path.startswith("|"):
            raise UsageError(
                f"{where}: {utterance_id} is a shell command (it has a '|'); commands are not "
                "run: write their output to a file and name that"
            )
        if utterance_id in first_line_of:
            raise UsageError(
                f"{where}: id {utterance_id!r} is already on line {first_line_of[utterance_id]}"
            )
        first_line_of[utterance_id] = number
        output_name = utterance_id.replace("/", "_")
        sources.append(InputFile(path, utterance_id, utterance_id, output_name))
    return sources


def require_distinct_ids(sources: Iterable[InputFile]) -> None:
    """Raise UsageError if two recordings go by the same id, where ids are what is printed."""
    counts = Counter(source.utterance_id for source in sources)
    repeated = [utterance_id for utterance_id, count in counts.items() if count > 1]
    if repeated:
        raise UsageError(
            f"two recordings go by the id {repeated[0]!r}; give ids of your own with --wav-scp"
        )


def read_lines(path: str) -> list[str]:
    """Return the lines of a UTF-8 text file, or raise UsageError."""
    try:
        return Path(path).read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: expected UTF-8 text; {error.reason}") from error
