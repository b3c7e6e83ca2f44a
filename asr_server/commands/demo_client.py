"""Shows the SDK: recordings recognised, one as a stream, minutes of speech with pauses."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import soundfile

from asr_client import Client, Transcript
from asr_server.places import SAMPLES

TALK = SAMPLES / "talk.ogg"
PARAFORMER_LANGUAGES = ("zh",)  # the embedded Paraformer knows Mandarin only
SHOWN_WORDS = 6
SHOWN_SENTENCES = 10
PIECE_S = 0.6
STREAM_SPEED = 3  # times faster than it was spoken


def read_samples() -> list[tuple[Path, str, str]]:
    """Return (file, language, spoken text) of each sample recording."""
    lines = (SAMPLES / "transcripts.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return [(SAMPLES / name, language, text) for name, language, text in rows]


def show(transcript: Transcript, elapsed_s: float) -> None:
    """Print one answer."""
    speed = transcript.duration_s / elapsed_s
    tags = [tag for tag in (transcript.language, transcript.emotion, transcript.event) if tag]
    print(f"  {transcript.model:<15}{transcript.text}")
    print(f"  {'':<15}{1000 * elapsed_s:.0f} ms, {speed:.0f} x real time  {' '.join(tags)}")
    if transcript.timestamps_ms:
        timed = zip(transcript.tokens, transcript.timestamps_ms, strict=True)
        words = [f"{token} {start / 1000:.2f}-{end / 1000:.2f}" for token, (start, end) in timed]
        more = " ..." if len(words) > SHOWN_WORDS else ""
        print(f"  {'':<15}{'  '.join(words[:SHOWN_WORDS])}{more}")


def recognise(client: Client, samples: Sequence[tuple[Path, str, str]]) -> None:
    """Send every sample to the models that know its language."""
    for path, language, spoken in samples:
        print(f"\n{path.name}   spoken: {spoken}")
        models = ["sensevoice"] + ["paraformer"] * (language in PARAFORMER_LANGUAGES)
        for model in models:
            begun = time.perf_counter()
            transcript = client.transcribe(path, model=model, language=language)
            show(transcript, time.perf_counter() - begun)


def stream(client: Client, path: Path, spoken: str) -> None:
    """Play a recording to the streaming model and print the text as it grows."""
    samples, rate = soundfile.read(path, dtype="float32")
    print(f"\n{path.name} as a stream, {STREAM_SPEED} x real speed   spoken: {spoken}")
    shown = ""
    with client.stream() as session:
        for start in range(0, len(samples), int(PIECE_S * rate)):
            session.send(samples[start : start + int(PIECE_S * rate)], sample_rate=rate)
            time.sleep(PIECE_S / STREAM_SPEED)
            if session.text != shown:
                shown = session.text
                print(f"  heard {session.acknowledged_s:4.1f} s   {shown}", flush=True)
        final = session.finish()
    print(f"  all {final.duration_s:6.1f} s   {final.text}")


def transcribe_talk(client: Client) -> None:
    """Transcribe minutes of speech with pauses and print the first sentences as they come."""
    print(f"\n{TALK.name} through vad, infer_pipeline, punctuation and ITN")
    count = 0
    with client.stream_file(TALK, model="paraformer", language="zh") as file:
        for sentence in file:
            count += 1
            if count <= SHOWN_SENTENCES:
                start, end = clock(sentence.start_ms), clock(sentence.end_ms)
                print(f"  {start} - {end}   {sentence.text}", flush=True)
    summary = file.summary
    speed = summary.duration_s / summary.timings.total_s
    print(f"  ... {count} sentences, {summary.duration_s:.0f} s of audio, {speed:.0f} x real time")


def clock(time_ms: int) -> str:
    """Write a time as minutes, seconds and tenths."""
    return f"{time_ms // 60_000}:{time_ms / 1000 % 60:04.1f}"


def show_client(triton_url: str) -> None:
    """Send the samples to a server in every way, and print what comes back.

    Args:
        triton_url: as `Client` takes it.
    """
    samples = read_samples()
    with Client(triton_url) as client:
        for model in ("sensevoice", "paraformer"):  # the first request sets up memory
            client.transcribe(samples[0][0], model=model)
        recognise(client, samples)
        for path, language, spoken in samples:
            if language in PARAFORMER_LANGUAGES:
                stream(client, path, spoken)
        transcribe_talk(client)
