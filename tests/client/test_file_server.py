"""Whole files through a real server: the embedded recognisers behind a VAD that follows the level.

The VAD and the punctuation model have random weights: where the VAD cuts depends on the level
only, and the marks mean nothing; that nothing is lost or doubled can be seen all the same.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

import jsonschema_rs
import numpy as np
import psutil
import pytest
import soundfile
import webvtt

from asr_client import AsyncClient, Client, FileTranscript, count_errors, load_audio
from asr_client.cli import main
from asr_client.files.sentences import split_sentences
from asr_client.text.alignment import text_units
from asr_contract import SAMPLE_RATE
from lab.benchmark.server_statistics import read_statistics
from tests.client.media_files import ffmpeg, pictures
from tests.recordings import heldout
from tests.server_counters import wait_for_inferences
from tests.serving import EMBEDDED, RANDOM_MODELS, serve_models
from tests.streams import VadSequence, wait_for_open_sessions
from tests.vad_reference import join_segments

SCHEMA = Path(__file__).parents[2] / "docs" / "transcript.schema.json"

MODELS = ["sensevoice", "paraformer"]


@dataclass(frozen=True)
class Recording:
    """Utterances joined with silence.

    Attributes:
        texts: what is said, in order.
        parts_ms: (start, end) of each utterance.
    """

    path: Path
    texts: list[str]
    parts_ms: list[tuple[int, int]]


def record(path: Path, languages: list[str], count: int, seed: int) -> Recording:
    """Join `count` held-out utterances of some languages, with 0.9 to 2.5 s of silence between."""
    rng = np.random.default_rng(seed)
    spoken = [(text, samples) for language, text, samples in heldout() if language in languages]
    parts, texts, parts_ms = [np.zeros(SAMPLE_RATE // 2, np.float32)], [], []
    for index in range(count):
        text, samples = spoken[(index + seed) % len(spoken)]
        start_ms = sum(map(len, parts)) // 16
        parts_ms.append((start_ms, start_ms + len(samples) // 16))
        silence = np.zeros(int(rng.uniform(0.9, 2.5) * SAMPLE_RATE), np.float32)
        parts += [samples, silence]
        texts.append(text)
    soundfile.write(path, np.concatenate(parts), SAMPLE_RATE)
    return Recording(path, texts, parts_ms)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    models = {
        **EMBEDDED,
        "vad": RANDOM_MODELS / "fsmn_vad-tiny-seed0",
        "punctuation": RANDOM_MODELS / "ct_transformer-tiny-seed0",
    }
    with serve_models(tmp_path_factory.mktemp("files"), models) as server:
        yield server


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> dict[str, Recording]:
    folder = tmp_path_factory.mktemp("recordings")
    return {
        "zh": record(folder / "zh.flac", ["zh"], 12, 0),
        "all": record(folder / "all.flac", ["zh", "en", "yue", "ja", "ko"], 16, 4),
        **{
            language: record(folder / f"{language}.flac", [language], 5, 0)
            for language in ("en", "yue", "ja", "ko")
        },
    }


@pytest.fixture(autouse=True)
def nothing_left(server):
    before = set(psutil.Process().children(recursive=True))
    yield
    _, left = psutil.wait_procs(set(psutil.Process().children(recursive=True)) - before, timeout=60)
    assert not left
    wait_for_open_sessions(server, 0, model="vad")


def url(server, scheme: str = "grpc") -> str:
    return f"{scheme}://{server.grpc_url if scheme == 'grpc' else server.http_url}"


def vad_segments(server, waveform: np.ndarray) -> list[tuple[int, int]]:
    """Segments of a recording by plain requests of a minute."""
    sequence = VadSequence(server, max_single_segment_time="30000")
    return join_segments(
        sequence.run(np.split(waveform, range(60 * SAMPLE_RATE, len(waveform), 60 * SAMPLE_RATE)))
    )


def letters(text: str) -> str:
    return "".join(unit.text for unit in text_units(text)).casefold()


def check_times(result: FileTranscript) -> None:
    """Sentences and words do not overlap and lie in the file."""
    latest_ms = 0
    for sentence in result.sentences:
        assert latest_ms <= sentence.start_ms <= sentence.end_ms
        assert [word.text for word in sentence.words] == [u.text for u in text_units(sentence.text)]
        for word in sentence.words:
            assert latest_ms <= word.start_ms <= word.end_ms <= sentence.end_ms
            latest_ms = word.end_ms
        latest_ms = sentence.end_ms
    assert latest_ms <= 1000 * result.duration_s


@pytest.mark.parametrize("scheme", ["grpc", "http"])
@pytest.mark.parametrize("model", MODELS)
def test_segments_join_without_loss(server, recordings, model, scheme):
    recording = recordings["zh"]
    waveform = load_audio(recording.path)
    segments = vad_segments(server, waveform)
    assert len(segments) > 8
    with Client(url(server, scheme)) as client:
        result = client.transcribe_file(
            recording.path, model=model, language="zh", itn=False, punctuation=False
        )
        alone = [
            client.transcribe(
                waveform[start * 16 : end * 16],
                sample_rate=SAMPLE_RATE,
                model=model,
                language="zh",
                itn=False,
            ).text
            for start, end in segments
        ]
    expected = [sentence for text in alone for sentence in split_sentences(text)]
    assert [sentence.text for sentence in result.sentences] == expected
    assert count_errors("".join(recording.texts), result.text).rate < 0.3
    assert result.summary.segments == len(segments)
    assert result.duration_s == pytest.approx(len(waveform) / SAMPLE_RATE)
    check_times(result)
    for sentence in result.sentences:  # each is where a part is
        middle_ms = (sentence.start_ms + sentence.end_ms) / 2
        assert any(start - 300 <= middle_ms <= end + 300 for start, end in recording.parts_ms)


def test_punctuation_and_figures_change_no_word(server, recordings):
    path = recordings["zh"].path
    with Client(url(server)) as client:
        plain = client.transcribe_file(path, model="paraformer", itn=False, punctuation=False)
        marked = client.transcribe_file(path, model="paraformer", itn=False)
        written = client.transcribe_file(path, model="paraformer")
    assert letters(marked.text) == letters(plain.text)
    assert all(sentence.text[-1] in "。？！.?!" for sentence in marked.sentences)
    assert any(character.isdigit() for character in written.text)
    assert not any(character.isdigit() for character in marked.text)
    check_times(marked)
    check_times(written)
    # What was not changed keeps its time.
    assert {(w.text, w.start_ms) for w in plain.words} >= {
        (w.text, w.start_ms) for w in marked.words
    }


@pytest.mark.parametrize("language", ["zh", "en", "yue", "ja", "ko"])
def test_sensevoice_gives_words_with_times_in_its_languages(server, recordings, language):
    with Client(url(server)) as client:
        for options in ({}, {"itn": False}, {"punctuation": False}):
            result = client.transcribe_file(recordings[language].path, language=language, **options)
            check_times(result)
            assert result.language == language
            assert len(result.words) >= 5
            spread = [word.end_ms - word.start_ms for word in result.words]
            assert sum(spread) > 0


def test_files_at_once_equal_themselves_alone(server, recordings):
    paths = [recordings["zh"].path, recordings["all"].path]
    short = [recordings[language].path for language in ("en", "ja", "ko", "yue")]

    async def run() -> tuple[list[FileTranscript], list[FileTranscript]]:
        async with AsyncClient(url(server)) as client:
            alone = [await client.transcribe_file(path) for path in paths + short]
            together = await asyncio.gather(
                *(client.transcribe_file(path) for path in paths + short)
            )
        return alone, together

    alone, together = asyncio.run(run())
    assert [file.sentences for file in together] == [file.sentences for file in alone]


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_leaving_early_leaves_nothing(server, recordings, scheme, tmp_path):
    """`nothing_left` looks for ffmpeg, and for the sequence on the server."""
    path = recordings["all"].path
    samples, rate = soundfile.read(path, dtype="int16")
    hour = tmp_path / "hour.wav"
    soundfile.write(hour, np.tile(samples, 3600 * rate // len(samples)), rate)
    with Client(url(server, scheme)) as client:
        with client.stream_file(path) as file:
            next(file)
        file = client.stream_file(path)  # closed with the client
        file.open()
        next(file)

    async def run() -> None:
        async with AsyncClient(url(server, scheme)) as client:
            async with client.stream_file(path) as file:
                await anext(file)
            reading = asyncio.create_task(client.transcribe_file(hour))
            await asyncio.to_thread(wait_for_open_sessions, server, 1, model="vad")
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading

    asyncio.run(run())


def test_a_video_and_its_sound_alone_say_the_same(server, recordings, tmp_path):
    recording, video = recordings["zh"], tmp_path / "talk.mkv"
    length_s = soundfile.info(recording.path).duration
    ffmpeg(*pictures(length_s), "-i", recording.path, "-c:a", "flac", video)
    with Client(url(server)) as client:
        with client.stream_file(video) as file:
            assert file.duration_s == pytest.approx(length_s, abs=0.2)
            sentences = list(file)
        assert sentences == client.transcribe_file(recording.path).sentences


# The command line


def command(server, *arguments: str | Path) -> int:
    return main(["transcribe", *map(str, arguments), "--url", url(server)])


def test_formats(server, recordings, capsys, tmp_path):
    path = recordings["zh"].path
    with Client(url(server)) as client:
        expected = client.transcribe_file(path)
    outputs = {}
    for style in ("txt", "json", "srt", "vtt", "tsv", "kaldi"):
        assert command(server, path, "--format", style) == 0
        outputs[style] = capsys.readouterr().out
    assert outputs["txt"].splitlines() == [sentence.text for sentence in expected.sentences]
    record = json.loads(outputs["json"])
    jsonschema_rs.validator_for(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(record)
    assert record["text"] == expected.text
    assert record["sentences"] == [sentence.to_dict() for sentence in expected.sentences]
    assert record["language"] == "zh"
    assert {"duration_s", "speech_s", "timings", "warnings", "file", "id"} <= set(record)
    assert outputs["srt"].count(" --> ") >= len(expected.sentences)
    (tmp_path / "talk.vtt").write_text(outputs["vtt"], encoding="utf-8")
    assert len(webvtt.read(tmp_path / "talk.vtt").captions) >= len(expected.sentences)
    assert len(outputs["tsv"].splitlines()) == len(expected.sentences) + 1
    assert outputs["kaldi"] == f"zh {expected.text}\n"


def test_a_directory_goes_on_where_it_was_interrupted(server, recordings, capsys, tmp_path):
    folder, output = tmp_path / "talks", tmp_path / "texts"
    (folder / "day 2").mkdir(parents=True)
    for name, target in (("en", "a.flac"), ("ja", "day 2/b.flac")):
        (folder / target).write_bytes(recordings[name].path.read_bytes())
    (folder / "notes.txt").write_text("no recording")
    (folder / "broken.mp3").write_text("no recording either")
    arguments = (folder, "--output-dir", output, "--format", "srt", "--concurrency", "2")
    assert command(server, *arguments) == 1
    error = capsys.readouterr().err
    assert "broken.mp3" in error
    assert "1 of 3 files failed" in error
    found = sorted(path.relative_to(output).as_posix() for path in output.rglob("*.*"))
    assert found == ["a.srt", "day 2/b.srt"]
    kept = (output / "a.srt").read_text(encoding="utf-8")
    (output / "a.srt").write_text("done before", encoding="utf-8")
    (folder / "broken.mp3").unlink()
    assert command(server, *arguments) == 0
    assert "2 of 2 files are done already" in capsys.readouterr().err
    assert (output / "a.srt").read_text(encoding="utf-8") == "done before"
    assert command(server, *arguments, "--force") == 0
    assert (output / "a.srt").read_text(encoding="utf-8") == kept


def test_a_list_is_written_in_its_order(server, recordings, capsys, tmp_path):
    scp = tmp_path / "wav.scp"
    scp.write_text("".join(f"utt-{name} {recordings[name].path}\n" for name in ("ja", "en", "ko")))
    assert command(server, "--wav-scp", scp, "--format", "kaldi", "--concurrency", "3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["utt-ja", "utt-en", "utt-ko"]
    assert command(server, "--wav-scp", scp, "--format", "srt") == 2
    assert "several files need --output-dir" in capsys.readouterr().err


def test_a_short_file_waits_for_the_vad_once(server, recordings, tmp_path):
    """Each request waits behind those of long files."""
    samples = load_audio(recordings["en"].path)[: 4 * SAMPLE_RATE]
    soundfile.write(tmp_path / "short.wav", samples, SAMPLE_RATE)
    before = read_statistics(server.http_url)
    with Client(f"grpc://{server.grpc_url}") as client:
        assert client.transcribe_file(tmp_path / "short.wav").summary.segments > 0
    assert wait_for_inferences(server, before, "vad", 1).inferences == 1


def test_without_vad_a_file_is_one_request(server, recordings, capsys):
    path = recordings["en"].path
    assert command(server, path, "--no-vad", "--format", "json") == 0
    record = json.loads(capsys.readouterr().out)
    jsonschema_rs.validator_for(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(record)
    assert record["segments"] == 1
    assert record["sentences"][0]["emotion"]
    assert 0 < record["sentences"][0]["confidence"] <= 1
    assert command(server, path, "--no-vad", "--format", "tsv") == 0
    assert capsys.readouterr().out.startswith("start\tend\ttext\n")
    assert command(server, path, "--no-vad", "--vad-option", "max_end_silence_time=500") == 2
    assert "--vad-option" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command(server, path, "--vad-option", "detect_mode=0")
    assert "--vad-option: expected max_end_silence" in capsys.readouterr().err
