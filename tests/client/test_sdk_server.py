"""The SDK, its command line and the demo clients against the server with the embedded models."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from asr_client import (
    AsyncClient,
    Client,
    ModelNotFound,
    Pcm,
    RequestRejected,
    Transcript,
    count_errors,
    load_audio,
)
from asr_client.cli import main

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "embedded_models" / "samples"
MODELS = ["sensevoice", "paraformer"]


def read_samples() -> list[dict[str, str]]:
    """Rows of transcripts.tsv (file, language, text)."""
    with (SAMPLES / "transcripts.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def sample_paths(model: str) -> list[Path]:
    """Recordings that a model is meant for: Paraformer's language is Chinese."""
    rows = [row for row in read_samples() if model == "sensevoice" or row["language"] == "zh"]
    return [SAMPLES / row["file"] for row in rows]


@pytest.fixture(params=["grpc", "http"])
def url(request, triton_server) -> str:
    return triton_server.grpc_url if request.param == "grpc" else triton_server.http_url


@pytest.fixture(scope="session")
def reference(triton_server) -> dict[tuple[str, Path], Transcript]:
    """Each sample's transcript by gRPC, one request at a time; all other ways must agree."""
    with Client(triton_server.grpc_url) as client:
        return {
            (model, path): client.transcribe(path, model=model)
            for model in MODELS
            for path in sample_paths(model)
        }


def test_samples_are_recognised(reference):
    spoken = {SAMPLES / row["file"]: row for row in read_samples()}
    for model in MODELS:
        pairs = [(spoken[path], t) for (name, path), t in reference.items() if name == model]
        assert pairs
        count = sum(
            (count_errors(row["text"], t.text) for row, t in pairs[1:]),
            count_errors(pairs[0][0]["text"], pairs[0][1].text),
        )
        assert count.rate < 0.25, f"{model}: {count}"


@pytest.mark.parametrize("model", MODELS)
def test_what_a_transcript_holds(reference, model):
    for (name, path), transcript in reference.items():
        if name != model:
            continue
        assert transcript.duration_s == pytest.approx(soundfile.info(path).duration, abs=1e-3)
        assert transcript.text
        assert transcript.tokens
        assert len(transcript.confidence) == len(transcript.tokens)
        assert all(0 <= p <= 1.001 for p in transcript.confidence)
        if transcript.timestamps_ms is not None:
            assert len(transcript.timestamps_ms) == len(transcript.tokens)
            starts = [start for start, _ in transcript.timestamps_ms]
            assert starts == sorted(starts)
            assert all(start <= end for start, end in transcript.timestamps_ms)
        if model == "sensevoice":
            assert transcript.timestamps_ms is not None
            assert transcript.language == path.name.split("_")[0]
            # the tag is the model's; the language weighs it with the script of the text
            assert re.match(r"<\|(zh|en|yue|ja|ko)\|>", transcript.raw_text)
            assert "<|" not in transcript.text


@pytest.mark.parametrize("model", MODELS)
def test_every_transport_gives_the_same(url, reference, model):
    async def run() -> list[Transcript]:
        async with AsyncClient(url) as client:
            return [await client.transcribe(path, model=model) for path in paths]

    paths = sample_paths(model)
    expected = [reference[model, path] for path in paths]
    with Client(url) as client:
        assert [client.transcribe(path, model=model) for path in paths] == expected
    assert asyncio.run(run()) == expected


@pytest.mark.parametrize("model", MODELS)
def test_many_and_a_batch_give_the_same(url, reference, model):
    paths = sample_paths(model)[:4]
    expected = [reference[model, path].raw_text for path in paths]
    with Client(url) as client:
        outcomes = client.transcribe_many(paths * 4, concurrency=8, model=model)
        assert [outcome.get().raw_text for outcome in outcomes] == expected * 4
        batch = client.transcribe_batch(paths, model=model)
        assert [transcript.raw_text for transcript in batch] == expected

    async def run() -> list[str]:
        async with AsyncClient(url) as client:
            outcomes = await client.transcribe_many(paths * 4, concurrency=8, model=model)
            return [outcome.get().raw_text for outcome in outcomes]

    assert asyncio.run(run()) == expected * 4


def test_every_form_of_audio_gives_the_same(url, reference):
    path = sample_paths("sensevoice")[0]
    expected = reference["sensevoice", path]
    frames, rate = soundfile.read(path, dtype="int16")
    wav = io.BytesIO()
    soundfile.write(wav, frames, rate, format="WAV", subtype="PCM_16")
    with Client(url) as client:
        for audio in (str(path), wav.getvalue(), io.BytesIO(wav.getvalue())):
            assert client.transcribe(audio) == expected
        assert client.transcribe(Pcm(frames.tobytes(), rate)) == expected
        for array in (frames, (frames / 32768).astype(np.float32), np.stack([frames] * 2, axis=1)):
            assert client.transcribe(array, sample_rate=rate).text == expected.text
        # Resampling twice is not exact, and neither is the text of a small model then.
        frames_48khz = soxr.resample(load_audio(path), 16000, 48000)
        transcript = client.transcribe(frames_48khz, sample_rate=48000)
        assert count_errors(expected.text, transcript.text).rate <= 0.1


def test_one_client_serves_many_threads(url, reference):
    paths = sample_paths("sensevoice")
    wrong: list[str] = []

    def work(path: Path) -> None:
        for _ in range(5):
            if client.transcribe(path) != reference["sensevoice", path]:
                wrong.append(path.name)

    with Client(url) as client:
        threads = [threading.Thread(target=work, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_options_are_taken(url):
    path = sample_paths("sensevoice")[0]
    with Client(url) as client:
        for itn in (True, False):
            transcript = client.transcribe(path, language="zh", itn=itn)
            assert transcript.raw_text.startswith("<|zh|>")


def test_bad_input_is_refused_and_the_next_request_served(url, reference):
    path = sample_paths("sensevoice")[0]
    with Client(url) as client:
        with pytest.raises(ModelNotFound):
            client.transcribe(path, model="nothing")
        with pytest.raises(RequestRejected, match="batch-size"):
            client.transcribe_batch([path] * 200)
        assert client.transcribe(path) == reference["sensevoice", path]


def test_one_sample_and_silence_do_no_harm(url):
    with Client(url) as client:
        for model in MODELS:
            for samples in (1, 100, 16000):
                silence = np.zeros(samples, np.float32)
                transcript = client.transcribe(silence, model=model, sample_rate=16000)
                assert transcript.duration_s == samples / 16000


def test_readiness(url):
    with Client(url) as client:
        client.wait_ready(60)
        for model in MODELS:
            assert client.is_ready(model)
        assert {"sensevoice", "infer_pipeline"} <= {model.name for model in client.models()}


def test_the_command_line(url, reference, capsys):
    paths = sample_paths("sensevoice")
    arguments = ["transcribe", "--no-vad", *map(str, paths), "--url", url, "--format", "json"]
    references = SAMPLES / "transcripts.tsv"
    assert main([*arguments, "--itn", "--compute-cer", str(references)]) == 0
    out, err = capsys.readouterr()
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["file"] for record in records] == [str(path) for path in paths]
    for record, path in zip(records, paths, strict=True):
        assert record["text"] == reference["sensevoice", path].text
    assert err.startswith("CER ")
    assert f"; {len(paths)} recordings" in err


def test_the_command_line_with_a_list_and_a_missing_file(url, reference, tmp_path, capsys):
    path = sample_paths("paraformer")[0]
    scp = tmp_path / "wav.scp"
    scp.write_text(f"one {path}\ntwo {tmp_path}/missing.wav\n")
    arguments = ["transcribe", "--no-vad", "--wav-scp", str(scp), "--url", url]
    assert main([*arguments, "--format", "kaldi", "--model", "paraformer"]) == 1
    out, err = capsys.readouterr()
    assert out == f"one {reference['paraformer', path].text}\n"
    assert "missing.wav: No such file" in err


@pytest.mark.parametrize("model", MODELS)
def test_the_demo_clients(url, reference, model):
    paths = [path for path in sample_paths(model) if soundfile.info(path).samplerate == 16000][:2]
    demo = ROOT / "clients" / f"client_demo_{model}.py"
    command = [sys.executable, str(demo), "--url", url, *map(str, paths)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    lines = [line.split("\t")[:2] for line in run.stdout.splitlines()]
    assert lines == [[str(path), reference[model, path].raw_text] for path in paths]
