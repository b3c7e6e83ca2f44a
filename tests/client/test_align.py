"""Forced alignment by a real server: SDK, command line, formats, long recordings."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise

import numpy as np
import praatio.textgrid
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from asr_client import Alignment, AsyncClient, Client, OptionError
from asr_client.alignment import AlignedSentence, AlignedWord, format_alignment
from asr_client.alignment.windows import FRAME_SAMPLES, LevelMeter, WindowCutter
from asr_client.cli import main
from asr_contract import SAMPLE_RATE
from tests.client.test_cli import FakeClient
from tests.recordings import heldout

LANGUAGES = ["zh", "en", "yue", "ja", "ko"]
GAP = np.zeros(SAMPLE_RATE // 2, np.float32)


@pytest.fixture(scope="module")
def client(triton_server):
    with Client(triton_server.grpc_url) as client:
        yield client


def utterances(language: str) -> list[tuple[str, np.ndarray]]:
    return [(text, samples) for spoken, text, samples in heldout() if spoken == language and text]


def joined(language: str, seconds: float) -> tuple[list[str], np.ndarray, list[tuple[int, int]]]:
    """Texts, the recording of all, and the ms of each, repeated until it is long enough."""
    texts, parts, spans = [], [GAP], []
    while sum(map(len, parts)) < seconds * SAMPLE_RATE:
        text, samples = utterances(language)[len(texts) % len(utterances(language))]
        start_ms = sum(map(len, parts)) * 1000 // SAMPLE_RATE
        texts.append(text)
        spans.append((start_ms, start_ms + len(samples) * 1000 // SAMPLE_RATE))
        parts += [samples, GAP]
    return texts, np.concatenate(parts), spans


def check_order(alignment: Alignment, text: str) -> None:
    """Words lie one behind the other, in the text as in time."""
    for word in alignment.words:
        assert text[word.start : word.end] == word.text
        assert 0 <= word.start_ms <= word.end_ms <= alignment.duration_s * 1000 + 60
    for word, following in pairwise(alignment.words):
        assert word.end <= following.start
        assert word.end_ms <= following.start_ms


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_are_in_their_sentences_time(client, language):
    texts, waveform, spans = joined(language, 40)
    text = "\n".join(f"{each}!" for each in texts)
    alignment = client.align(waveform, text, language=language, sample_rate=SAMPLE_RATE)
    check_order(alignment, text)
    assert [sentence.text for sentence in alignment.sentences] == text.split("\n")
    heard = [word for word in alignment.words if word.heard]
    assert len(heard) > 0.9 * len(alignment.words)
    for sentence, (start_ms, end_ms) in zip(alignment.sentences, spans, strict=True):
        inside = [
            start_ms - 100 <= word.start_ms and word.end_ms <= end_ms + 100
            for word in sentence.words
            if word.heard
        ]
        assert all(inside)


def test_what_is_not_in_the_audio_is_marked_and_what_is_beside_the_text_is_passed_over(client):
    texts, waveform, spans = joined("en", 60)
    foreign = "the hospital in tokyo zyx beautiful music"
    text = "\n".join([*texts[:3], foreign, *texts[3:6], *texts[8:]])
    alignment = client.align(waveform, text, language="en", sample_rate=SAMPLE_RATE)
    own = [*spans[:6], *spans[8:]]
    sentences = list(alignment.sentences)
    unspoken = sentences.pop(3)
    assert not unspoken.heard
    assert [word.confidence for word in unspoken.words if word.text == "zyx"] == [None]
    (warning,) = alignment.warnings
    assert f"cannot write 1 of {len(alignment.words)} words, such as 'zyx'" in warning
    for sentence, (start_ms, end_ms) in zip(sentences, own, strict=True):
        heard = [word for word in sentence.words if word.heard]
        assert heard
        assert all(start_ms - 150 <= word.start_ms <= end_ms + 150 for word in heard)


def test_of_a_sentence_that_repeats_more_often_than_it_is_said_whole_ones_are_marked(client):
    text, samples = utterances("zh")[0]
    waveform = np.concatenate([samples, GAP] * 3)
    alignment = client.align(waveform, f"{text}。\n" * 5, language="zh", sample_rate=SAMPLE_RATE)
    check_order(alignment, f"{text}。\n" * 5)
    shares = [
        sum(word.heard for word in sentence.words) / len(sentence.words)
        for sentence in alignment.sentences
    ]
    assert sorted(round(share) for share in shares) == [0, 0, 1, 1, 1]
    assert sum(share in (0, 1) for share in shares) >= 4, shares


def test_a_mark_of_order_before_a_text_is_no_part_of_it(client, tmp_path):
    text, samples = utterances("en")[0]
    alignment = client.align(samples, f"\ufeff{text}", language="en", sample_rate=SAMPLE_RATE)
    check_order(alignment, f"\ufeff{text}")
    assert [sentence.text for sentence in alignment.sentences] == [text]


def test_praat_reads_a_recording_of_a_sample(tmp_path):
    path = tmp_path / "short.TextGrid"
    silent = AlignedSentence("a", [AlignedWord("a", 0, 0, 0.0, 0, 1)])
    path.write_text(format_alignment("textgrid", Alignment([silent], 1 / 16000, "m"), "short"))
    grid = praatio.textgrid.openTextgrid(str(path), includeEmptyIntervals=True)
    assert grid.maxTimestamp > 0


def test_async_client_and_http_say_the_same(client, triton_server):
    text, samples = utterances("zh")[0]
    expected = client.align(samples, text, language="zh", sample_rate=SAMPLE_RATE)

    async def ask() -> Alignment:
        async with AsyncClient(triton_server.http_url) as other:
            return await other.align(samples, text, language="zh", sample_rate=SAMPLE_RATE)

    assert asyncio.run(ask()) == expected


def test_a_text_without_words_and_channels_apart_are_refused(client):
    with pytest.raises(OptionError, match="word"):
        client.align(GAP, " !? ", sample_rate=SAMPLE_RATE)
    with pytest.raises(OptionError, match="channels"):
        client.align(GAP, "yes", channels="each", sample_rate=SAMPLE_RATE)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("align")
    text, samples = utterances("en")[0]
    soundfile.write(folder / "my\u3000speech.wav", samples, SAMPLE_RATE)
    (folder / "text.txt").write_text(f"\ufeff{text}.\r\n", encoding="utf-8")
    return folder


def run(triton_server, files, style: str) -> str:
    arguments = [str(files / "my\u3000speech.wav"), str(files / "text.txt"), "--language", "en"]
    output = files / f"out.{style}"
    command = ["align", *arguments, "--url", triton_server.grpc_url, "--format", style]
    assert main([*command, "--output", str(output)]) == 0
    return output.read_text(encoding="utf-8")


def test_formats_say_the_same(triton_server, files):
    words = [
        word
        for sentence in json.loads(run(triton_server, files, "json"))["sentences"]
        for word in sentence["words"]
    ]
    ctm = [line.split(" ") for line in run(triton_server, files, "ctm").splitlines()]
    assert {line[0] for line in ctm} == {"my_speech"}
    assert [(line[4], round(1000 * float(line[2]))) for line in ctm] == [
        (word["text"], word["start_ms"]) for word in words
    ]
    run(triton_server, files, "textgrid")
    grid = praatio.textgrid.openTextgrid(str(files / "out.textgrid"), includeEmptyIntervals=False)
    assert [
        (label, round(1000 * start), round(1000 * end))
        for start, end, label in grid.getTier("words").entries
    ] == [(word["text"], word["start_ms"], word["end_ms"]) for word in words if word["heard"]]
    assert " --> " in run(triton_server, files, "srt")


def test_warnings_are_on_stderr_and_called_so(tmp_path, capsys):
    (tmp_path / "text").write_text("yes")

    class Aligning(FakeClient):
        def align(self, audio, text, **options):
            return Alignment([], 1.0, "sensevoice_alignment", ["the file is cut off"])

    assert main(["align", "a.wav", str(tmp_path / "text")], client_factory=Aligning()) == 0
    assert "a.wav: warning: the file is cut off\n" in capsys.readouterr().err


def test_the_name_of_a_file_need_not_be_utf_8():
    """Python has surrogates for such bytes; JSON is UTF-8 all the same."""
    line = format_alignment("json", Alignment([], 1.0, "sensevoice_alignment"), "a\udcff")
    assert json.loads(line.encode())["id"] == "a\udcff"


@given(st.integers(0, 60 * SAMPLE_RATE), st.integers(1, 40 * SAMPLE_RATE))
def test_windows_give_each_frame_once(samples, piece):
    """However a recording arrives: frames that count are those of the whole, in order."""
    waveform = np.arange(samples, dtype=np.float32)
    cutter, meter, first = WindowCutter(), LevelMeter(), 0
    windows = []
    for start in range(0, samples, piece):
        meter.accept(waveform[start : start + piece])
        windows += cutter.accept(waveform[start : start + piece])
    windows.append(cutter.finish())
    for window in windows:
        begin = window.skipped * FRAME_SAMPLES
        if begin < len(window.waveform):
            assert window.waveform[begin] == first * FRAME_SAMPLES
        if window.kept is not None:
            first += window.kept
    assert first * FRAME_SAMPLES <= samples or first == 0
    assert len(meter.levels) == samples // 160
