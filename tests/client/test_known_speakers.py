"""Known speakers: the file, its refusals, and names in transcripts of the sample talk."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import soundfile

from asr_client import Client, KnownSpeakers, OptionError
from asr_client.cli import main
from asr_client.diarisation import LiveSpeakers, SegmentVoices
from asr_client.diarisation.finder import KnownVoices, SpeakerFinder
from asr_client.files import FileOptions
from asr_client.transport import ThreadedGrpcTransport
from asr_contract import SAMPLE_RATE
from asr_server.places import SAMPLES

TALK = SAMPLES / "talk.ogg"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A speakers.json beside recordings of the talk's two, from its second half, and the talk."""
    folder = tmp_path_factory.mktemp("known")
    samples, _ = soundfile.read(TALK, dtype="float32")
    parts: dict[str, list[np.ndarray]] = {}
    for each in json.loads(TALK.with_suffix(".json").read_text()):
        if each["start_ms"] > 75_000:
            spoken = samples[each["start_ms"] * 16 : each["end_ms"] * 16]
            parts.setdefault(each["voice"][-2:], []).append(spoken)
    for name, spoken in parts.items():
        soundfile.write(folder / f"{name}.wav", np.concatenate(spoken[:4]), SAMPLE_RATE)
    soundfile.write(folder / "talk.wav", samples[: 30 * SAMPLE_RATE], SAMPLE_RATE)
    known = {"speakers": {"李伟": ["f3.wav"], "Anna B.": "m4.wav"}}
    (folder / "speakers.json").write_text(json.dumps(known))
    return folder


def early_voices() -> list[dict]:
    spoken = json.loads(TALK.with_suffix(".json").read_text())
    return [each for each in spoken if each["end_ms"] < 29_000]


def test_known_speakers_are_called_by_name(triton_server, folder, monkeypatch):
    """By the SDK; their voices are asked of the server once for two files."""
    asked = []
    infer = ThreadedGrpcTransport.infer

    async def counted(self, request, timeout_s):
        asked.append(request.model_name)
        return await infer(self, request, timeout_s)

    monkeypatch.setattr(ThreadedGrpcTransport, "infer", counted)
    known = KnownSpeakers.read(folder / "speakers.json")
    with Client(triton_server.grpc_url) as client:
        transcript = client.transcribe_file(
            folder / "talk.wav", speakers="auto", known_speakers=known
        )
        first = asked.count("speaker")
        again = client.transcribe_file(folder / "talk.wav", speakers=2, known_speakers=known)
    assert asked.count("speaker") - first == first - 2  # a request for each of the two recordings
    assert {turn.speaker for turn in again.summary.turns} == {"李伟", "Anna B."}
    names = {"f3": "李伟", "m4": "Anna B."}
    right = 0
    for each in early_voices():
        middle = (each["start_ms"] + each["end_ms"]) / 2
        turns = [t for t in transcript.summary.turns if t.start_ms <= middle <= t.end_ms]
        right += bool(turns) and turns[0].speaker == names[each["voice"][-2:]]
    assert right >= 0.9 * len(early_voices())


def test_the_command_line_names_them(triton_server, folder, capsys):
    """`--known-speakers` alone means `--speakers auto`."""
    arguments = ["transcribe", str(folder / "talk.wav"), "--url", triton_server.grpc_url]
    known = ["--known-speakers", str(folder / "speakers.json")]
    assert main([*arguments, "--format", "rttm", *known]) == 0
    speakers = {line.split()[7] for line in capsys.readouterr().out.splitlines()}
    assert {"李伟", "Anna_B."} <= speakers


def test_a_recording_that_cannot_be_used_is_named(triton_server, folder):
    (folder / "text.wav").write_text("no audio")
    silence = np.zeros(3 * SAMPLE_RATE, np.float32)
    soundfile.write(folder / "silence.wav", silence, SAMPLE_RATE)
    cases = {
        "text.wav": r"known speakers: 'Li': .*text\.wav",
        "silence.wav": r"'Li': .*silence\.wav: expected at least 2 s of speech; got 0\.0 s",
    }
    with Client(triton_server.grpc_url) as client:
        for name, message in cases.items():
            with pytest.raises(OptionError, match=message):
                client.transcribe_file(
                    folder / "talk.wav", speakers=2, known_speakers={"Li": folder / name}
                )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected JSON"),
        ("[1]", r'expected \{"speakers"'),
        ('{"names": {}}', r'expected \{"speakers"'),
        ('{"speakers": {}}', "expected 1 to 50 names; got 0"),
        ('{"speakers": {"Li": "a", "Li": "b"}}', "expected each name once; got 'Li' twice"),
        ('{"speakers": {"Li": 5}}', "'Li': expected a recording's path, or a list of them; got 5"),
        ('{"speakers": {"Li": []}}', "'Li': expected 1 to 20 recordings; got 0"),
        ('{"speakers": {"Li": "none.wav"}}', "'Li': no recording '.*none.wav'"),
        ('{"speakers": {"": "f3.wav"}}', "expected names of 1 to 100 characters in one line"),
        ('{"speakers": {"a\\nb": "f3.wav"}}', "expected names of 1 to 100 characters in one line"),
        ('{"speakers": {"S1": "f3.wav"}}', "expected names other than S1, S2"),
        ('{"speakers": {"Li": "f3.wav"}, "threshold": 2}', "expected a cosine from 0 to 1; got 2"),
        ('{"speakers": {"Li": "f3.wav"}, "treshold": 0.4}', r'expected \{"speakers"'),
    ],
)
def test_files_that_make_no_sense_are_refused(folder, capsys, content, message):
    path = folder / "wrong.json"
    path.write_text(content)
    with pytest.raises(OptionError, match=message):
        KnownSpeakers.read(path)
    assert main(["transcribe", "talk.wav", "--known-speakers", str(path)]) == 2
    assert "wrong.json" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_of_an_editor_on_windows_is_read(folder, encoding):
    path = folder / "windows.json"
    path.write_text('{"speakers": {"李伟": "f3.wav"}}', encoding=encoding)
    assert KnownSpeakers.read(path).names == ["李伟"]


def test_a_file_that_is_not_there(folder):
    with pytest.raises(OptionError, match=r"none\.json: cannot be read: No such file"):
        KnownSpeakers.read(folder / "none.json")


def test_names_alone_ask_for_nothing():
    with pytest.raises(OptionError, match="known_speakers: expected with speakers"):
        FileOptions(known_speakers={"Li": io.BytesIO()})


def voice(*values: float) -> np.ndarray:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


KNOWN = KnownVoices(["Li", "Anna"], np.stack([voice(1, 0, 0), voice(0, 1, 0)]), 0.6)


def test_each_name_goes_to_the_nearest_voice_above_the_threshold():
    found = np.stack([voice(1, 0.6, 0), voice(1, 0.1, 0), voice(0.5, 0.5, 1)])
    assert KNOWN.name_of(found) == {1: "Li"}
    assert KNOWN.name_of(found[:1]) == {0: "Li"}
    assert KNOWN.name_of(found[2:]) == {}


def windows(start_ms: int, *own: np.ndarray) -> tuple[list[tuple[int, int]], np.ndarray]:
    return [(start_ms + 500 * k, start_ms + 500 * (k + 1)) for k in range(len(own))], np.stack(own)


def test_unknown_speakers_are_numbered_without_the_known_ones():
    finder = SpeakerFinder(2, KNOWN)
    finder.add(*windows(0, *[voice(0, 0, 1)] * 8))
    finder.add(*windows(9_000, *[voice(0, 1, 0)] * 8))
    assert [turn.speaker for turn in finder.turns()] == ["S1", "Anna"]


def test_windows_may_come_in_any_order():
    found = []
    for order in ((0, 1, 2), (2, 0, 1)):
        finder = SpeakerFinder(2)
        parts = [windows(5_000 * k, *[voice(k % 2, 1 - k % 2, 0)] * 8) for k in range(3)]
        for k in order:
            finder.add(*parts[k])
        found.append(finder.turns())
    assert found[0] == found[1]
    assert [turn.speaker for turn in found[0]] == ["S1", "S2", "S1"]


def test_live_names_keep_their_meaning_when_they_are_corrected():
    """Two names that turn out to be one; the other speaker is called as before."""
    live = LiveSpeakers("auto")
    rng = np.random.default_rng(0)

    def heard(*direction: float, spread: float = 0.02) -> SegmentVoices:
        base = np.zeros(16)
        base[: len(direction)] = direction
        own = base + spread * rng.standard_normal((8, 16))
        own /= np.linalg.norm(own, axis=1, keepdims=True)
        return SegmentVoices([(500 * k, 500 * k + 500) for k in range(8)], own.astype(np.float32))

    told = [
        live.name(10_000 * k, heard(*direction))[0]
        for k, direction in enumerate([(1, 0), (0, 1), (1, 0.1), (0.1, 1), (1, 0)])
    ]
    assert told == ["S1", "S2", "S1", "S2", "S1"]
    turns = live.turns()
    assert [turn.speaker for turn in turns] == told
    assert turns[1].start_ms == 10_000 and turns[1].end_ms == 14_000


def test_a_live_recording_has_no_more_speakers_than_are_told():
    live = LiveSpeakers(1)
    assert live.name(0, SegmentVoices([(0, 900)], voice(1, 0)[None])) == ("S1", 1.0)
    assert live.name(2_000, SegmentVoices([(0, 900)], voice(0, 1)[None])) == ("S1", 0.0)
