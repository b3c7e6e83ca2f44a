"""What is asked to be recognised: files, folders, lists of files, URLs, and standard input."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asr_contract import read_text

from ..errors import StorageFull
from ..storage import is_full
from .addresses import is_url, require_leave
from .common import UsageError
from .names import distinct, id_of, printable

STDIN = "-"

# Files of a directory that are taken; a file that is named itself may be called anything.
_AUDIO = (
    "aac ac3 aif aiff amr ape au caf dts flac m4a m4b mka mp2 mp3 oga ogg opus w64 wav wave wma wv"
)
_VIDEO = "3gp asf avi flv m2ts m4v mkv mov mp4 mpeg mpg mts mxf ogv ts vob webm wmv"
MEDIA_SUFFIXES = frozenset(f".{suffix}" for suffix in f"{_AUDIO} {_VIDEO}".split())


@dataclass(frozen=True)
class InputFile:
    """A recording to recognise: its path, and the name it goes by in Kaldi's formats.

    `label` is what the text format prints: the path, or the id that a wav.scp gives.
    `output_name` is what its result's file is called, without the format's suffix: as the file,
    below the directory that was named, or the id. `is_listed` says that a wav.scp named it, and
    `problem` why it cannot be read, where that is known already.
    """

    path: str
    utterance_id: str
    label: str
    output_name: str
    is_listed: bool = False
    problem: str = ""

    @property
    def is_url(self) -> bool:
        """Whether it is to be fetched first."""
        return is_url(self.path)

    @property
    def shown(self) -> str:
        """What to call it in messages."""
        return STDIN if self.label == STDIN else printable(self.path)


def collect(
    files: Sequence[str],
    scp_files: Sequence[str],
    save_stdin: Callable[[], str],
    *,
    allow_urls: bool = False,
) -> list[InputFile]:
    """Return the recordings in the order they were named.

    A file `*.scp` is a list, a directory means the audio and video files in it and below it, and
    `-` is standard input. What cannot be read fails when its turn comes. Recordings whose names
    differ by their suffix or folder only get ids and results of their own.

    Args:
        files: as named on the command line.
        scp_files: lists of files.
        save_stdin: returns the path of a file with all that standard input has.
        allow_urls: whether http://, https:// and others outside object stores may be named.

    Raises:
        UsageError: there is none, a list cannot be read, or there is an address and none is
            allowed.
    """
    sources: list[InputFile] = []
    for name in files:
        if name.endswith(".scp"):
            sources += read_wav_scp(name)
        elif not is_url(name) and os.path.isdir(name):
            sources += read_directory(name)
        else:
            sources.append(recording(name, save_stdin))
    for name in scp_files:
        sources += read_wav_scp(name)
    if not sources:
        raise UsageError("nothing to transcribe: give files or --wav-scp")
    require_leave((source.path for source in sources), allow_urls=allow_urls)
    return _told_apart(sources)


def recording(name: str, save_stdin: Callable[[], str]) -> InputFile:
    """Return the recording that a name stands for: a file, an address, or standard input."""
    if name == STDIN:
        return InputFile(save_stdin(), "stdin", STDIN, "stdin")
    return _input_file(name, Path(name).stem)


def save_stdin(folder: str) -> str:
    """Write all that standard input has into a file of a folder, and return its path.

    Raises:
        UsageError: it is a terminal, was named twice, or cannot be read.
        StorageFull: the folder has no room for it.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("-: expected audio on standard input; got a terminal")
    try:
        with open(os.path.join(folder, "stdin"), "xb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
    except FileExistsError:
        raise UsageError("-: standard input can be read once; it is named twice") from None
    except OSError as error:
        if is_full(error):
            raise StorageFull(f"{STDIN}: a copy in {folder}: {error.strerror}") from error
        raise UsageError(f"{STDIN}: {error.strerror or error}") from error
    return file.name


def read_directory(folder: str) -> list[InputFile]:
    """Return the audio and video files of a directory and those below it, in order of name.

    Hidden files and folders and links to folders are left out, and counted on stderr. A folder
    that cannot be read is returned in place of what it has, so that it fails as a file would.
    """
    paths: list[Path] = []
    hidden = links = 0
    unreadable: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=unreadable.append):
        seen = [name for name in folders if not name.startswith(".")]
        hidden += len(folders) - len(seen)
        links += sum(os.path.islink(os.path.join(parent, name)) for name in seen)
        folders[:] = seen
        for name in names:
            if Path(name).suffix.lower() in MEDIA_SUFFIXES:
                hidden += name.startswith(".")
                paths += [] if name.startswith(".") else [Path(parent, name)]
    if hidden:
        print(f"{printable(folder)}: {hidden} hidden files or folders left out", file=sys.stderr)
    if links:
        print(f"{printable(folder)}: {links} links to folders left out", file=sys.stderr)
    problems = {Path(error.filename): error.strerror or str(error) for error in unreadable}
    if not paths and not problems:
        print(f"{printable(folder)}: no audio or video file in this directory", file=sys.stderr)
    sources = []
    for path in sorted([*paths, *problems]):
        below = path.relative_to(folder)
        name = str(below.with_suffix("")) if below.name else path.name  # it is the folder itself
        sources.append(replace(_input_file(str(path), name), problem=problems.get(path, "")))
    return sources


def _input_file(path: str, output_name: str) -> InputFile:
    """Return a recording that is named by its path."""
    return InputFile(path, id_of(Path(path).stem) or path, printable(path), output_name)


def _told_apart(sources: list[InputFile]) -> list[InputFile]:
    """Give recordings that would have one id or one result names of their own.

    `a.wav` and `a.mp3` go by these names, two `a.wav` by a hash behind them. The ids of a list
    are as they are there.
    """
    ids: list[list[str]] = []
    outputs: list[list[str]] = []
    for source in sources:
        suffix = Path(source.path).suffix
        own = source.is_listed or source.label == STDIN or not suffix
        ids.append([source.utterance_id] + ([] if own else [id_of(Path(source.path).name)]))
        outputs.append([source.output_name] + ([] if own else [source.output_name + suffix]))
    paths = [source.path for source in sources]
    return [
        replace(
            source,
            utterance_id=source.utterance_id if source.is_listed else utterance_id,
            output_name=output_name,
        )
        for source, utterance_id, output_name in zip(
            sources, distinct(paths, ids), distinct(paths, outputs), strict=True
        )
    ]


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
        sources.append(InputFile(path, utterance_id, utterance_id, output_name, is_listed=True))
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
        return read_text(path).split("\n")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(str(error)) from error
