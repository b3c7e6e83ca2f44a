"""The sample talk through the embedded models: what is said, when, with marks and figures.

The synthesiser told when each word of the talk begins (embedded_models/samples/talk.json).
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from asr_client import Client, FileTranscript, Word, count_errors, load_audio
from asr_client.text.alignment import text_units
from asr_server.places import EMBEDDED_MODELS
from tests.client.test_file_server import check_times, letters, vad_segments

TALK = EMBEDDED_MODELS / "samples" / "talk.ogg"
MARKS = "，。？、"
MOST_ERRORS = {"paraformer": 0.08, "sensevoice": 0.10}
MEAN_WORD_ERROR_MS = 150
MEAN_SENTENCE_ERROR_MS = 150


def spoken() -> list[dict[str, Any]]:
    """What is said: text, written, start_ms, end_ms, words [[text, start_ms], ...]."""
    rows: list[dict[str, Any]] = json.loads(TALK.with_suffix(".json").read_text(encoding="utf-8"))
    return rows


@pytest.fixture(scope="module")
def talk(tmp_path_factory) -> Path:
    """The talk without loss: decoders of Opus differ in the last bits."""
    path = tmp_path_factory.mktemp("talk") / "talk.flac"
    samples, rate = soundfile.read(TALK, dtype="int16")
    soundfile.write(path, samples, rate)
    return path


@pytest.fixture(scope="module", params=["paraformer", "sensevoice"])
def transcripts(request, triton_server, talk) -> tuple[str, FileTranscript, FileTranscript]:
    """(model, with marks and figures, with neither)."""
    with Client(triton_server.grpc_url) as client:
        options = {"model": request.param, "language": "zh"}
        written = client.transcribe_file(talk, **options)
        plain = client.transcribe_file(talk, **options, itn=False, punctuation=False)
    return request.param, written, plain


def word_errors_ms(words: list[Word]) -> list[int]:
    """How much later than spoken each word begins that was recognised."""
    due = [
        (character, start_ms if index == 0 else None)
        for sentence in spoken()
        for text, start_ms in sentence["words"]
        for index, character in enumerate(text)
    ]
    given = [
        (character, word.start_ms if index == 0 else None)
        for word in words
        for index, character in enumerate(word.text)
    ]
    matcher = difflib.SequenceMatcher(
        None, [character for character, _ in due], [c for c, _ in given], autojunk=False
    )
    errors = []
    for first, second, size in matcher.get_matching_blocks():
        for offset in range(size):
            start_ms, found_ms = due[first + offset][1], given[second + offset][1]
            if start_ms is not None and found_ms is not None:
                errors.append(found_ms - start_ms)
    return errors


def test_text_and_order(transcripts):
    model, written, plain = transcripts
    due = "".join(letters(sentence["text"]) for sentence in spoken())
    assert count_errors(due, letters(plain.text)).rate <= MOST_ERRORS[model]
    check_times(written)
    check_times(plain)
    assert any(character.isdigit() for character in written.text)
    assert not any(character.isdigit() for character in plain.text)


def test_words_and_sentences_are_when_they_were_spoken(transcripts):
    model, written, plain = transcripts
    errors = np.array(word_errors_ms(plain.words))
    sentences = {letters(sentence["text"]): sentence for sentence in spoken()}
    edges = []
    for sentence in written.sentences:
        said = "".join(unit.text for unit in text_units(sentence.text))
        due = sentences.get(said) or next(
            (s for s in sentences.values() if letters(s["written"]) == said.casefold()), None
        )
        if due is not None:
            edges.append((sentence.start_ms - due["start_ms"], sentence.end_ms - due["end_ms"]))
    found = np.array(edges)
    print(
        f"{model}: {len(errors)} words, start error mean {errors.mean():.0f} ms, mean absolute "
        f"{np.abs(errors).mean():.0f} ms; {len(found)} sentences, mean "
        f"{found.mean(axis=0).round().tolist()} ms, mean absolute "
        f"{np.abs(found).mean(axis=0).round().tolist()} ms"
    )
    assert len(errors) > 200
    assert len(found) > 15
    assert np.abs(errors).mean() <= MEAN_WORD_ERROR_MS
    assert (np.abs(found).mean(axis=0) <= MEAN_SENTENCE_ERROR_MS).all()


def test_segments_join_without_loss(triton_server, talk, transcripts):
    model, _, plain = transcripts
    waveform = load_audio(talk)
    segments = vad_segments(triton_server.server, waveform)
    assert 15 <= len(segments) <= 45
    assert plain.summary.segments == len(segments)
    with Client(triton_server.grpc_url) as client:
        alone = [
            client.transcribe(
                waveform[start * 16 : end * 16],
                sample_rate=16_000,
                model=model,
                language="zh",
                itn=False,
            ).text
            for start, end in segments
        ]
    assert letters(plain.text) == letters("".join(alone))
    for sentence in spoken():  # every one lies in a segment
        assert any(s <= sentence["start_ms"] and sentence["end_ms"] <= e for s, e in segments)


def test_marks_of_the_punctuation_model(transcripts):
    model, written, _ = transcripts
    if model == "sensevoice":
        assert written.text[-1] in "。？"  # it writes its own
        return
    due = "".join(sentence["written"] for sentence in spoken())
    matcher = difflib.SequenceMatcher(None, due, written.text, autojunk=False)
    right = sum(
        due[first + offset] in MARKS
        for first, _, size in matcher.get_matching_blocks()
        for offset in range(size)
    )
    assert right >= 0.8 * sum(character in MARKS for character in due)
