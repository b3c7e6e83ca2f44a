"""The same bytes give the same samples, warnings and text, whatever the way in."""

from __future__ import annotations

import asyncio
import io
import json
import warnings

import numpy as np
import pytest
import soundfile

from asr_client import AudioError, Client, Pcm, count_errors, load_audio
from asr_client.audio import AudioWarning, MediaDecoder, load_recording
from asr_client.cli import main
from asr_client.text import text_units
from asr_server.places import ROOT
from tests.client.media_files import children
from tests.odd_audio import OddFile, cases, int16, odd_file
from tests.odd_containers import wav, wav_form

SAMPLES = ROOT / "embedded_models" / "samples"
IN_SUITE = 100
MOST_ERRORS = 0.1
_AT_ONCE = 50  # files of which the samples are held


@pytest.fixture(scope="session")
def speech() -> np.ndarray:
    return soundfile.read(SAMPLES / "zh_1.wav", dtype="float32")[0]


@pytest.fixture(scope="session")
def odd(speech, tmp_path_factory) -> dict[str, OddFile]:
    return cases(speech, tmp_path_factory.mktemp("odd"))


@pytest.fixture(scope="module")
def client(triton_server):
    with Client(triton_server.grpc_url) as client:
        yield client


def letters(text: str) -> str:
    return "".join(text[unit.start : unit.end] for unit in text_units(text)).lower()


def assert_said(text: str, expected: str, where: str) -> None:
    """The text is the expected one, as far as a small model goes."""
    errors = count_errors(letters(expected), letters(text))
    assert errors.rate <= MOST_ERRORS, f"{where}: {text!r}, expected {expected!r}"


async def _blocks(path) -> tuple[np.ndarray, list[str]]:
    async with MediaDecoder(path) as media:
        return np.concatenate([block async for block in media]), media.warnings


def check_samples(file: OddFile) -> tuple[np.ndarray, list[str]] | None:
    """All ways to read a file give the same; return it, None if it cannot be read."""
    try:
        loaded = load_recording(file.path)
    except AudioError:
        assert file.may_lose, file.story
        return None
    by_blocks, notes = asyncio.run(_blocks(file.path))
    assert np.array_equal(loaded.waveform, by_blocks), file.story
    assert loaded.warnings == notes, file.story
    missing = len(file.heard) - len(loaded.waveform)
    if file.is_exact:
        assert abs(missing) <= 1, file.story
        # As loud as it may be: other channels may be silent. What 8 bits and a low rate add stays.
        heard = file.heard[: len(loaded.waveform)]
        gain = float(loaded.waveform[: len(heard)] @ heard) / float(heard @ heard)
        rest = loaded.waveform[: len(heard)] / gain - heard
        assert np.sqrt(np.mean(rest**2) / np.mean(heard**2)) < 10 ** (-35 / 20), file.story
    elif missing > 1600:
        assert loaded.warnings or not file.may_lose, file.story
        assert loaded.warnings or missing < 4800, file.story
    return loaded.waveform, loaded.warnings


def test_every_case_is_read_whole_by_every_reader(odd):
    for file in odd.values():
        waveform, notes = check_samples(file)
        for source in (file.path.read_bytes(), io.BytesIO(file.path.read_bytes())):
            if file.path.suffix == ".g722":
                continue  # only its name says what it is
            again = load_recording(source)
            assert np.array_equal(again.waveform, waveform) and again.warnings == notes


def test_what_is_lost_is_said(odd):
    with pytest.warns(AudioWarning, match="may be cut off"):
        load_audio(odd["cut.wav"].path)
    with pytest.warns(AudioWarning, match="2 channels cancel each other"):
        load_audio(odd["inverted_stereo.wav"].path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", AudioWarning)
        load_audio(odd["header_of_first_second.wav"].path)
        load_audio(odd["32_channels.wav"].path)


def test_every_case_has_its_text_by_every_way_of_the_sdk(client, odd, speech):
    expected = client.transcribe(speech, sample_rate=16000, language="zh").text
    streamed = _stream(client, speech)
    for name, file in odd.items():
        times = round(len(file.heard) / len(speech))
        whole = client.transcribe(file.path, language="zh")
        pieces = client.transcribe_file(file.path, language="zh")
        assert whole.warnings == pieces.summary.warnings, name
        if file.may_lose:
            assert whole.warnings, name
            continue
        assert_said(whole.text, expected * times, f"transcribe {name}")
        assert_said(pieces.text, expected * times, f"transcribe_file {name}")
        live = _stream(client, load_recording(file.path).waveform)
        assert count_errors(streamed * times, live).rate <= 0.3, (name, live)


def _stream(client: Client, waveform: np.ndarray) -> str:
    with client.stream() as session:
        session.send(waveform)
        return letters(session.finish().text)


def test_a_session_takes_files_as_they_come(client, odd, speech):
    expected = _stream(client, speech)
    for name in ("header_of_first_second.wav", "a_wav_per_second.wav", "inverted_stereo.wav"):
        data = odd[name].path.read_bytes()
        with client.stream() as session:
            for first in range(0, len(data), 9600):
                session.send(data[first : first + 9600])
            transcript = session.finish()
        assert letters(transcript.text) == expected, name
        assert bool(transcript.warnings) == (name == "inverted_stereo.wav")


@pytest.mark.parametrize("vad", ["--vad", "--no-vad"])
def test_the_command_line_says_what_is_lost(triton_server, odd, vad, capsys):
    paths = [str(odd[name].path) for name in ("cut.wav", "inverted_stereo.wav", "12_channels.wav")]
    options = ["--language", "zh", vad, "--url", triton_server.grpc_url, "--format", "json"]
    assert main(["transcribe", *paths, *options]) == 0
    out, err = capsys.readouterr()
    records = [json.loads(line) for line in out.splitlines()]
    assert [bool(record["warnings"]) for record in records] == [True, True, False]
    assert err.count(": warning: ") == 2 and "cut off" in err and "cancel" in err
    assert main(["stream", paths[0], "--url", triton_server.grpc_url]) == 0
    assert "cut.wav: warning: the audio ends at" in capsys.readouterr().err


@pytest.fixture(scope="session")
def call(tmp_path_factory):
    """Two people in a channel each, one after the other and at once, and a silent third channel."""
    spoken = [
        soundfile.read(SAMPLES / f"{name}.wav", dtype="float32")[0] for name in ("zh_1", "zh_2")
    ]
    frames = np.zeros((14 * 16000, 3), np.float32)
    for channel, start_s, which in ((0, 0.5, 0), (1, 5.5, 1), (0, 9.0, 1), (1, 9.2, 0)):
        first = int(start_s * 16000)
        part = spoken[which][: len(frames) - first]
        frames[first : first + len(part), channel] = part
    path = tmp_path_factory.mktemp("call") / "call.wav"
    path.write_bytes(wav(wav_form(1, 16000, 3, 16), int16(frames).tobytes()))
    return path, frames


@pytest.mark.parametrize("model", ["sensevoice", "paraformer"])
def test_each_channel_is_a_speaker(client, call, model):
    path, frames = call
    result = client.transcribe_file(path, model=model, language="zh", channels="each")
    starts = [sentence.start_ms for sentence in result.sentences]
    assert starts == sorted(starts)
    assert {sentence.channel for sentence in result.sentences} == {1, 2}
    for channel in (1, 2):
        alone = client.transcribe_file(path, model=model, language="zh", channels=channel)
        own = [each for each in result.sentences if each.channel == channel]
        assert [each.text for each in own] == [each.text for each in alone.sentences]
        assert [each.start_ms for each in own] == [each.start_ms for each in alone.sentences]
        array = client.transcribe(frames, sample_rate=16000, channels=channel, language="zh")
        assert len(array.text) > 3
    with pytest.raises(AudioError, match="channels=4: expected a channel that is there"):
        client.transcribe_file(path, channels=4)


@pytest.mark.parametrize("style", ["txt", "json", "srt", "vtt", "tsv", "kaldi"])
def test_the_channel_is_in_every_format(triton_server, call, style, capsys):
    options = ["--language", "zh", "--channels", "each", "--url", triton_server.grpc_url]
    assert main(["transcribe", str(call[0]), "--format", style, *options]) == 0
    out = capsys.readouterr().out
    marks = {
        "txt": ("[1] ", "[2] "),
        "json": ('"channel": 1', '"channel": 2'),
        "srt": ("\n[1] ", "\n[2] "),
        "vtt": ("<v Channel 1>", "<v Channel 2>"),
        "tsv": ("\t1\t", "\t2\t"),
        "kaldi": ("call-1 ", "call-2 "),
    }[style]
    assert all(mark in out for mark in marks), out
    assert "channel" in out.splitlines()[0] if style == "tsv" else True


def test_wrong_channels_are_refused(triton_server, call, capsys):
    for word in ("0", "-1", "left", "1.5"):
        with pytest.raises(SystemExit):
            main(["transcribe", str(call[0]), "--channels", word])
        assert "expected 'mix', 'each' or the number" in capsys.readouterr().err
    url = ["--url", triton_server.grpc_url]
    assert main(["transcribe", str(call[0]), "--channels", "each", "--no-vad", *url]) == 2
    assert main(["transcribe", str(call[0]), "--channels", "9", *url]) == 1


def test_raw_audio_by_its_name_and_by_its_format(tmp_path, odd, speech):
    by_format = load_audio(Pcm(odd["spoken.g722"].path, 16000, "g722"))
    assert np.array_equal(load_audio(odd["spoken.g722"].path), by_format)
    narrow = int16(speech[::2])
    for suffix, subtype in (
        ("ulaw", "ULAW"),
        ("alaw", "ALAW"),
        ("gsm", "GSM610"),
        ("sln", "PCM_16"),
    ):
        path = tmp_path / f"message.{suffix}"
        soundfile.write(path, narrow, 8000, format="RAW", subtype=subtype)
        waveform, notes = asyncio.run(_blocks(path))
        assert np.array_equal(load_audio(path), waveform) and notes == []
        assert abs(len(waveform) - len(speech)) < 640
        assert np.corrcoef(waveform[: len(speech)], speech[: len(waveform)])[0, 1] > 0.8


@pytest.mark.parametrize("prefix", [b"", b"\x02"])
def test_voice_messages_of_wechat_and_qq(tmp_path, speech, prefix):
    import pysilk

    coded = io.BytesIO()
    pysilk.encode(io.BytesIO(int16(speech).tobytes()), coded, 16000, 24000, tencent=False)
    path = tmp_path / "message.silk"
    path.write_bytes(prefix + coded.getvalue())
    waveform, notes = asyncio.run(_blocks(path))
    assert np.array_equal(load_audio(path.read_bytes()), waveform) and notes == []
    assert abs(len(waveform) - len(speech)) <= 640
    lag = np.correlate(waveform[8000:40000], speech[8200:39800]).argmax() - 200
    assert abs(lag) < 160
    path.write_bytes((prefix + coded.getvalue())[:-1])
    assert "damaged" in asyncio.run(_blocks(path))[1][0]


def check_seeds(client: Client, speech: np.ndarray, seeds: range, folder) -> None:
    """Each file of these seeds has its text, or a warning or an error; nothing else happens."""
    before = set(children())
    for first in range(seeds.start, seeds.stop, _AT_ONCE):
        batch = seeds[first - seeds.start : first - seeds.start + _AT_ONCE]
        read: list[tuple[OddFile, np.ndarray, list[str]]] = []
        for seed in batch:
            file = odd_file(seed, speech, folder)
            found = check_samples(file)
            if found is not None:
                read.append((file, *found))
            file.path.unlink()
        audios = [waveform for _, waveform, _ in read] + [file.heard for file, *_ in read]
        outcomes = client.transcribe_many(audios, sample_rate=16000, language="zh")
        texts = [outcome.get().text for outcome in outcomes]
        for (file, _, notes), text, expected in zip(read, texts, texts[len(read) :], strict=False):
            if not notes and "8000" not in file.story:
                errors = count_errors(letters(expected), letters(text))
                assert errors.rate <= 0.25, (file.story, text, expected)
    assert set(children()) <= before


def test_a_hundred_files_of_any_kind(client, speech, tmp_path):
    check_seeds(client, speech, range(IN_SUITE), tmp_path)
