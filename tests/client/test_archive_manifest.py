"""Manifests of archives: what is read, and what is told of what cannot be."""

from __future__ import annotations

import json
import math

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from asr_client.cli.archive.manifest import AUDIO_FIELDS, ID_FIELDS, Stretch, read_manifest
from asr_client.cli.common import UsageError


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def what(entries):
    return [(entry.key, entry.source.path, entry.duration_s) for entry in entries]


def test_the_same_rows_are_the_same_in_each_form(tmp_path):
    paths = ["/audio/一.wav", "s3://bucket/two.flac", "/audio/three.opus"]
    scp = tmp_path / "wav.scp"
    scp.write_text("".join(f"u{i} {path}\n" for i, path in enumerate(paths)), encoding="utf-8")
    rows = [{"id": f"u{i}", "audio": path} for i, path in enumerate(paths)]
    lines = write(tmp_path / "list.jsonl", *rows)
    table = str(tmp_path / "list.parquet")
    parquet.write_table(pyarrow.Table.from_pylist(rows), table)
    expected = [(f"u{i}", path, None) for i, path in enumerate(paths)]
    assert [what(read_manifest(str(path))) for path in (scp, lines, table, tmp_path)] == (
        [expected] * 4
    )


def test_hugging_face_s_audio_column_is_read_without_its_samples(tmp_path):
    audio = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    table = pyarrow.table(
        {
            "audio": pyarrow.array([{"bytes": b"RIFF", "path": "/a/x.wav"}], type=audio),
            "duration": [2.5],
        }
    )
    path = tmp_path / "train.parquet"
    parquet.write_table(table, path)
    assert what(read_manifest(str(path))) == [("x", "/a/x.wav", 2.5)]


def test_relative_names_lie_beside_json_lines_but_not_beside_a_wav_scp(tmp_path):
    lines = write(tmp_path / "list.jsonl", {"audio_filepath": "a/x.wav"})
    assert read_manifest(lines)[0].source.path == f"{tmp_path}/a/x.wav"
    fetched = read_manifest(lines, origin="s3://bucket/sets/list.jsonl")
    assert fetched[0].source.path == "s3://bucket/sets/a/x.wav"
    scp = tmp_path / "wav.scp"
    scp.write_text("x a/x.wav\n", encoding="utf-8")
    assert read_manifest(str(scp))[0].source.path == "a/x.wav"


@given(audio=st.sampled_from(AUDIO_FIELDS), key=st.sampled_from(ID_FIELDS))
def test_the_names_that_others_give_the_fields(tmp_path_factory, audio, key):
    row = {audio: "/a/x y.wav", key: 7, "text": "not read", "duration": "3.5"}
    path = write(tmp_path_factory.mktemp("m") / "list.jsonl", row)
    assert what(read_manifest(path)) == [("7", "/a/x y.wav", 3.5)]


def test_kaldi_s_segments_are_stretches_of_their_recordings(tmp_path):
    (tmp_path / "wav.scp").write_text("talk /a/talk.wav\nunused /a/unused.wav\n")
    (tmp_path / "segments").write_text("t-2 talk 3.5 -1\nt-1 talk 0.0 2.25\n")
    (entry,) = read_manifest(str(tmp_path))
    assert entry.stretches == (Stretch("t-2", 3.5, math.inf), Stretch("t-1", 0.0, 2.25))
    assert entry.duration_s is None


def test_offsets_make_one_recording_of_their_rows(tmp_path):
    rows = [
        {"id": "a", "audio": "/x.wav", "offset": 1, "duration": 2},
        {"id": "b", "audio": "/y.wav", "duration": 9},
        {"id": "c", "audio": "/x.wav", "offset": 4, "duration": 0.5},
    ]
    first, second = read_manifest(write(tmp_path / "list.jsonl", *rows))
    assert first.stretches == (Stretch("a", 1, 3), Stretch("c", 4, 4.5))
    assert (first.duration_s, second.stretches, second.duration_s) == (2.5, (), 9)
    longer = read_manifest(write(tmp_path / "other.jsonl", *rows[:2]))
    assert longer[0].key == first.key
    assert longer[0].content != first.content


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("[1]", "line 1: expected a JSON object; got '[1]'"),
        ("{", "line 1: expected a JSON object a line"),
        ("[" * 100_000, "line 1: expected a JSON object a line"),
        (
            '\n{"text": "x"}',
            "line 2: expected the audio's path, a string, as one of",
        ),
        ('{"audio": 3}', "line 1: expected the audio's path"),
        ('{"audio": "x", "duration": "long"}', "duration: expected a number of seconds"),
        ('{"audio": "x", "offset": 1}', "expected 'duration' beside 'offset'; got none"),
        ('{"audio": "x", "offset": 2, "duration": 0}', "expected 0 <= start < end"),
        ('{"audio": "x", "id": "a b"}', "expected an id without spaces; got 'a b'"),
        ('{"audio": "x"}\n{"audio": "y/x"}', "line 2: id 'x' is there twice"),
        ('{"audio": "http://h/x"}', "http://h/x: to fetch it give --allow-urls, too"),
        ('{"audio": "ftp://h/x"}', "ftp://h/x: to fetch it give --allow-urls, too"),
        ("", "expected recordings; got none"),
        (b"\xff\xff", "UTF-8"),
    ],
)
def test_what_is_malformed_is_named(tmp_path, rows, told):
    path = tmp_path / "list.jsonl"
    path.write_bytes(rows if isinstance(rows, bytes) else rows.encode())
    with pytest.raises(UsageError) as error:
        read_manifest(str(path))
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("u talk 0", "expected 'id recording start end'; got 'u talk 0'"),
        ("u walk 0 1", "expected a recording of"),
        ("u talk 0 x", "a time: expected a number of seconds; got 'x'"),
        ("u talk 2 1", "expected 0 <= start < end in s; got 2 to 1"),
        ("u talk 0 1\nu talk 1 2", "line 2: id 'u' is there twice"),
    ],
)
def test_malformed_segments_are_named(tmp_path, line, told):
    (tmp_path / "wav.scp").write_text("talk /a/talk.wav\n")
    (tmp_path / "segments").write_text(line + "\n")
    with pytest.raises(UsageError) as error:
        read_manifest(str(tmp_path))
    assert told in str(error.value)


@pytest.mark.parametrize("name", ["list.csv", "list.parquet", "missing.jsonl"])
def test_a_file_that_is_no_manifest(tmp_path, name):
    path = tmp_path / name
    if not name.startswith("missing"):
        path.write_text("audio\nx.wav\n")
    with pytest.raises(UsageError, match=name):
        read_manifest(str(path))
