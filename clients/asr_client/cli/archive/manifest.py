"""Lists of recordings: Kaldi's `wav.scp` and `segments`, JSON lines, Parquet.

JSON lines and Parquet have a row for a recording. Its audio is named by the first of `AUDIO_FIELDS`
that is there, and it goes by the first of `ID_FIELDS`, else by the name of its file. With `offset`
(in s) the row is a stretch of the recording, `duration` long, as in NeMo's manifests; without, all
of it, and `duration` serves the estimate.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..addresses import ARCHIVE_EXTRA, is_url, require_leave
from ..common import UsageError
from ..input_files import InputFile, read_lines, read_wav_scp
from ..names import id_of

# The names that NeMo, FunASR and WeNet, Hugging Face's data sets and others give them.
AUDIO_FIELDS = ("audio_filepath", "audio", "source", "wav", "path", "file")
ID_FIELDS = ("id", "key", "utt", "utt_id")
_LINES = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True)
class Stretch:
    """A part of a recording that is an utterance of its own, in s."""

    utterance_id: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Entry:
    """A recording of a manifest.

    Attributes:
        source: its audio and id.
        stretches: of it, in the order of the manifest; none for the whole recording.
        duration_s: where the manifest tells how much there is to recognise.
    """

    source: InputFile
    stretches: tuple[Stretch, ...] = ()
    duration_s: float | None = None

    @property
    def key(self) -> str:
        """What the ledger knows it by."""
        return self.source.utterance_id

    @property
    def content(self) -> str:
        """What is to be recognised: the audio's path, with a hash of the stretches behind it."""
        if not self.stretches:
            return self.source.path
        digest = hashlib.sha256(repr(self.stretches).encode("utf-8", "surrogateescape"))
        return f"{self.source.path}#{digest.hexdigest()[:12]}"


def read_manifest(
    path: str, segments: str | None = None, *, origin: str | None = None, allow_urls: bool = False
) -> list[Entry]:
    """Return the recordings of a manifest, in its order.

    Args:
        path: of a `*.scp`, of JSON lines (`*.jsonl`, `*.ndjson`, `*.json`), of `*.parquet`, or of
            a Kaldi data folder with a `wav.scp` and perhaps `segments`.
        segments: Kaldi's, `id recording start end` a line, of a `wav.scp`.
        origin: what the manifest is called, if it was fetched; relative names of JSON lines and
            Parquet belong beside it, those of Kaldi to the working directory.
        allow_urls: whether audio may lie at addresses outside object stores.

    Raises:
        UsageError: it cannot be read, or a row is malformed or repeats an id; it says which.
    """
    origin = origin or path
    if os.path.isdir(path):
        beside = str(Path(path, "segments"))
        if segments is None and os.path.isfile(beside):
            segments = beside
        path = origin = str(Path(path, "wav.scp"))
    suffix = posixpath.splitext(origin)[1].lower()
    if segments is not None and suffix != ".scp":
        raise UsageError(f"--segments: expected a wav.scp beside it; got {origin}")
    if suffix == ".scp":
        entries = _kaldi(path, segments)
    elif suffix in _LINES:
        entries = _entries(_json_rows(path, origin), origin)
    elif suffix == ".parquet":
        entries = _entries(_parquet_rows(path, origin), origin)
    else:
        raise UsageError(f"{origin}: expected the name of a manifest: *.scp, *.jsonl or *.parquet")
    if not entries:
        raise UsageError(f"{origin}: expected recordings; got none")
    require_leave((entry.source.path for entry in entries), allow_urls=allow_urls)
    return entries


def _kaldi(scp: str, segments: str | None) -> list[Entry]:
    """Read a wav.scp, and its segments where there are some."""
    sources = read_wav_scp(scp)
    if segments is None:
        return [Entry(source) for source in sources]
    known = {source.utterance_id for source in sources}
    stretches: defaultdict[str, list[Stretch]] = defaultdict(list)
    seen: set[str] = set()
    for number, line in enumerate(read_lines(segments), 1):
        if not line.strip():
            continue
        where = f"{segments}, line {number}"
        fields = line.split()
        if len(fields) != 4:
            raise UsageError(f"{where}: expected 'id recording start end'; got {line.strip()!r}")
        utterance_id, recording, start, end = fields
        if recording not in known:
            raise UsageError(f"{where}: expected a recording of {scp}; got {recording!r}")
        if utterance_id in seen:
            raise UsageError(f"{where}: id {utterance_id!r} is there twice")
        seen.add(utterance_id)
        start_s, end_s = (_seconds(value, where, "a time") for value in (start, end))
        # Kaldi's own tools write -1 for the end of the recording.
        stretches[recording].append(_stretch(utterance_id, start_s, end_s, where, to_end=-1))
    return [
        _cut(source, stretches[source.utterance_id])
        for source in sources
        if source.utterance_id in stretches
    ]


def _entries(rows: Iterable[tuple[str, Mapping[str, Any]]], origin: str) -> list[Entry]:
    """Make recordings of rows; stretches of one recording are one, where it comes first."""
    whole: dict[str, Entry] = {}
    cut: dict[str, list[Stretch]] = {}
    seen: set[str] = set()
    for where, row in rows:
        path = _audio(row, where, origin)
        stem = Path(path).stem
        utterance_id = _field(row, ID_FIELDS)
        offset = row.get("offset")
        if utterance_id is None:
            utterance_id = id_of(stem) if offset is None else f"{id_of(stem)}-{offset}"
        utterance_id = str(utterance_id)
        if not utterance_id or utterance_id.split() != [utterance_id]:
            raise UsageError(f"{where}: expected an id without spaces; got {utterance_id!r}")
        if utterance_id in seen:
            raise UsageError(
                f"{where}: id {utterance_id!r} is there twice; give each row an 'id' of its own"
            )
        seen.add(utterance_id)
        duration = row.get("duration")
        duration_s = None if duration is None else _seconds(duration, where, "duration")
        if offset is None:
            whole[utterance_id] = Entry(_source(path, utterance_id), duration_s=duration_s)
            continue
        if duration_s is None:
            raise UsageError(f"{where}: expected 'duration' beside 'offset'; got none")
        start_s = _seconds(offset, where, "offset")
        stretch = _stretch(utterance_id, start_s, start_s + duration_s, where)
        if path not in cut:
            cut[path] = []
            whole[utterance_id] = Entry(_source(path, utterance_id), stretches=(stretch,))
        cut[path].append(stretch)
    return [
        _cut(entry.source, cut[entry.source.path]) if entry.stretches else entry
        for entry in whole.values()
    ]


def _audio(row: Mapping[str, Any], where: str, origin: str) -> str:
    """Return the path of a row's audio."""
    value = _field(row, AUDIO_FIELDS)
    if isinstance(value, Mapping):  # Hugging Face's: {"path": …, "bytes": …}
        value = value.get("path")
    if not isinstance(value, str) or not value:
        raise UsageError(
            f"{where}: expected the audio's path, a string, as one of {', '.join(AUDIO_FIELDS)}; "
            f"got {json.dumps(row, ensure_ascii=False, default=str)[:80]}"
        )
    if is_url(value) or posixpath.isabs(value):
        return value
    folder = posixpath.dirname(origin)
    return posixpath.join(folder, value) if folder else value


def _field(row: Mapping[str, Any], names: Iterable[str]) -> Any:
    """Return the first of some fields that a row has; None without any."""
    return next((row[name] for name in names if row.get(name) is not None), None)


def _source(path: str, utterance_id: str) -> InputFile:
    name = utterance_id.replace("/", "_")
    return InputFile(path, utterance_id, utterance_id, name, is_listed=True)


def _cut(source: InputFile, stretches: Iterable[Stretch]) -> Entry:
    stretches = tuple(stretches)
    duration_s = sum(each.end_s - each.start_s for each in stretches)
    return Entry(source, stretches, duration_s if math.isfinite(duration_s) else None)


def _stretch(
    utterance_id: str, start_s: float, end_s: float, where: str, to_end: float | None = None
) -> Stretch:
    """Return a stretch; `to_end` stands for the end of the recording."""
    end_s = math.inf if to_end is not None and end_s == to_end else end_s
    if not 0 <= start_s < end_s:
        raise UsageError(f"{where}: expected 0 <= start < end in s; got {start_s:g} to {end_s:g}")
    return Stretch(utterance_id, start_s, end_s)


def _seconds(value: Any, where: str, name: str) -> float:
    """Return a number that is finite."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{where}: {name}: expected a number of seconds; got {value!r}")
    return number


def _json_rows(path: str, origin: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the objects of JSON lines, each with where it stands."""
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        where = f"{origin}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{where}: expected a JSON object a line ({error})") from None
        if not isinstance(row, dict):
            raise UsageError(f"{where}: expected a JSON object; got {line.strip()[:60]!r}")
        yield where, row


def _parquet_rows(path: str, origin: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the rows of a Parquet file, each with where it stands; audio in it is not read."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise UsageError(f"{origin}: Parquet needs pyarrow: {ARCHIVE_EXTRA}") from error
    try:
        with parquet.ParquetFile(path) as file:
            names = {*AUDIO_FIELDS, *ID_FIELDS, "offset", "duration"}
            found = file.schema_arrow.names
            columns = [name for name in found if name in names]
            # Of {"path", "bytes"} the path alone: the samples may be the greater part of the file.
            columns = [f"{name}.path" if _holds_bytes(file, name) else name for name in columns]
            if not columns:
                raise UsageError(
                    f"{origin}: expected a column {' or '.join(AUDIO_FIELDS)}; got "
                    f"{', '.join(found)}"
                )
            number = 0
            for batch in file.iter_batches(columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{origin}, row {number}", row
    except (ArrowException, OSError) as error:
        raise UsageError(f"{origin}: {error}") from error


def _holds_bytes(file: Any, name: str) -> bool:
    """Return whether a column is one of Hugging Face's, a path beside the samples."""
    kind = file.schema_arrow.field(name).type
    return bool(getattr(kind, "num_fields", 0)) and kind.get_field_index("path") >= 0
