"""The pipeline's parts without a server: segments, sentences, bounds, errors, leaving early."""

from __future__ import annotations

import asyncio
import tracemalloc
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import asr_client.pipeline.speech_detection as speech_detection
from asr_client import (
    AudioError,
    ClientClosed,
    ModelNotFound,
    OptionError,
    ProtocolError,
    ServerError,
    Transcript,
    Word,
)
from asr_client.alignment import text_units
from asr_client.pipeline.options import FileOptions
from asr_client.pipeline.punctuation import parse_punctuation
from asr_client.pipeline.segments import SegmentCutter
from asr_client.pipeline.sentences import (
    SentenceMaker,
    join_texts,
    split_sentences,
    spoken_in,
    timed_sentences,
)
from asr_client.pipeline.transcription import AsyncFileTranscription
from tests.client.local_models import LocalModels, bursts

RATE = 16_000


@pytest.fixture(autouse=True)
def no_ffmpeg_left():
    before = set(psutil.Process().children(recursive=True))
    yield
    _, left = psutil.wait_procs(set(psutil.Process().children(recursive=True)) - before, timeout=60)
    assert not left


@pytest.fixture(scope="module")
def speech(tmp_path_factory) -> Path:
    """Eight bursts in 26 s."""
    path = tmp_path_factory.mktemp("speech") / "talk.flac"
    soundfile.write(path, bursts(8), RATE)
    return path


def transcription(models: LocalModels, path: Path, **options) -> AsyncFileTranscription:
    return AsyncFileTranscription(models, "local", path, FileOptions(**options), 60.0)


async def whole(models: LocalModels, path: Path, **options):
    async with transcription(models, path, **options) as file:
        result = await file.result()
    assert not models.streams
    return result


# Segments


@given(st.lists(st.integers(1, 40_000), max_size=20), st.randoms(use_true_random=False))
def test_segments_are_the_audio_they_name_however_it_arrives(sizes, random):
    total_ms = sum(sizes) // 16
    cuts = sorted(random.sample(range(0, total_ms, 10), min(8, total_ms // 10) // 2 * 2))
    wanted = [(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=True) if a < b]
    audio = np.arange(sum(sizes), dtype=np.float32)
    cutter = SegmentCutter(max_segment_ms=60_000)
    rows = [row for a, b in wanted for row in ((a, -1), (-1, b))]
    due = [time for segment in wanted for time in segment]
    found, sent, told = [], 0, 0
    for size in sizes:
        piece = audio[sent : sent + size]
        sent += size
        ready = sum(time <= sent // 16 for time in due)  # told as soon as the audio is there
        found += cutter.accept(piece, rows[told:ready])
        told = ready
    cutter.finish()
    assert [(segment.start_ms, segment.end_ms) for segment in found] == wanted
    for segment in found:
        expected = audio[segment.start_ms * 16 : segment.end_ms * 16]
        np.testing.assert_array_equal(segment.waveform, expected)


def test_only_the_audio_that_may_be_needed_is_kept():
    cutter = SegmentCutter(max_segment_ms=10_000)
    for _ in range(100):
        list(cutter.accept(np.zeros(RATE, np.float32), []))
        assert cutter.kept_samples <= 5 * RATE
    list(cutter.accept(np.zeros(RATE, np.float32), [(99_000, -1)]))
    for _ in range(8):
        list(cutter.accept(np.zeros(RATE, np.float32), []))
    assert cutter.kept_samples <= 10 * RATE
    with pytest.raises(ProtocolError, match="no end of the segment at 99000 ms"):
        for _ in range(8):
            list(cutter.accept(np.zeros(RATE, np.float32), []))


@pytest.mark.parametrize(
    "rows",
    [
        [(-1, 500)],
        [(500, 400)],
        [(0, 500), (400, 900)],
        [(0, -1), (100, -1)],
        [(500, 30_000)],
        [(0, 19_000)],
    ],
)
def test_answers_that_cannot_be_are_refused(rows):
    cutter = SegmentCutter(max_segment_ms=10_000)
    with pytest.raises(ProtocolError, match="expected segments in order"):
        list(cutter.accept(np.zeros(20 * RATE, np.float32), rows))


def test_a_segment_without_end_is_told():
    cutter = SegmentCutter(max_segment_ms=10_000)
    list(cutter.accept(np.zeros(RATE, np.float32), [(500, -1)]))
    with pytest.raises(ProtocolError, match="no end of the segment at 500 ms"):
        cutter.finish()


# Sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("没有标点", ["没有标点"]),
        ("你好。你怎么去？坐车！", ["你好。", "你怎么去？", "坐车！"]),
        ("他说：“好。”我走了。", ["他说：“好。”", "我走了。"]),
        ("It costs 3.5 dollars. Really?! Yes", ["It costs 3.5 dollars.", "Really?!", "Yes"]),
        ("Ask Dr. Smith or J. Doe. Now.", ["Ask Dr. Smith or J. Doe.", "Now."]),
        ("见example.com。好", ["见example.com。", "好"]),
        ("嗯……好吧。", ["嗯……", "好吧。"]),
        ("。", []),
        ("好。。", ["好。。"]),
        ("커피 80원 입니다. 네.", ["커피 80원 입니다.", "네."]),
        ("何ですか？はい。", ["何ですか？", "はい。"]),
    ],
)
def test_sentences_end_at_their_marks(text, sentences):
    assert split_sentences(text) == sentences


@given(st.text(alphabet="你好a b.。？!3,“”…", max_size=40))
def test_splitting_loses_no_word(text):
    units = [unit.text for unit in text_units(text)]
    assert [unit.text for part in split_sentences(text) for unit in text_units(part)] == units


def test_texts_are_joined_as_their_script_is_written():
    assert join_texts(["你好。", "再见", "", "tomorrow.", "I see"]) == "你好。再见tomorrow. I see"
    assert join_texts(["커피 입니다.", "네"]) == "커피 입니다. 네"


def words_of(text: str, start_ms: int = 0, step_ms: int = 100) -> list[Word]:
    return [
        Word(word, start_ms + i * step_ms, start_ms + (i + 1) * step_ms)
        for i, word in enumerate(text.split())
    ]


def transcript(tokens: str, text: str | None = None, duration_s: float = 5.0, timed: bool = True):
    parts = tokens.split()
    times = [(100 * i, 100 * i + 100) for i in range(len(parts))] if timed else None
    return Transcript(tokens if text is None else text, "m", duration_s, parts, times)


def test_words_are_placed_in_the_file_and_stay_in_their_segment():
    spoken = spoken_in(transcript("a b c"), 1000, 1250)
    assert spoken.words == [Word("a", 1000, 1100), Word("b", 1100, 1200), Word("c", 1200, 1250)]
    assert spoken_in(transcript("", "。"), 0, 100) is None
    untimed = spoken_in(transcript("a b", timed=False), 1000, 2000)
    assert untimed.words == [Word("a", 1000, 1500), Word("b", 1500, 2000)]
    assert [s.words for s in timed_sentences(untimed, ["a b"])] == [[]]


@pytest.mark.parametrize(
    ("speech_end_ms", "expected_ms"),
    [(1450, 1450), (1900, 1600), (1250, 1250), (1100, 1200), (900, 1200)],
)
def test_the_last_word_ends_with_the_speech_but_not_much_later(speech_end_ms, expected_ms):
    spoken = spoken_in(transcript("a b c 。"), 1000, 2000, speech_end_ms)
    assert spoken.words == [
        *(Word("a", 1000, 1100), Word("b", 1100, 1200), Word("c", 1200, expected_ms)),
        Word("。", expected_ms, expected_ms),
    ]


def test_figures_have_the_time_of_the_words_they_were_made_from():
    spoken = spoken_in(transcript("三 十 块 好 吗", "三十块好吗"), 1000, 2000)
    (sentence,) = timed_sentences(spoken, ["三十块，好吗？"], itn="zh")
    assert sentence.text == "30块，好吗？"
    assert sentence.words[:2] == [Word("30", 1000, 1200), Word("块", 1200, 1300)]
    assert (sentence.start_ms, sentence.end_ms) == (1000, 1500)


def make(segments, models: LocalModels | None = None):
    """Sentences of (text, start in ms) with a full stop behind every third word."""

    async def run():
        maker = SentenceMaker(punctuate if models else None, None, True)
        found = []
        for text, start_ms in segments:
            spoken = spoken_in(transcript(text), start_ms, start_ms + 5000)
            found.append(await maker.accept(spoken))
        return [*found, await maker.finish()]

    async def punctuate(text):
        return parse_punctuation(text, models._punctuate(text))

    return asyncio.run(run())


def test_a_sentence_may_go_on_in_the_next_segment():
    first, second, third, last = make([("a b", 0), ("c d", 900), ("e f g", 1800)], LocalModels())
    assert first == []
    assert [(s.text, s.start_ms, s.end_ms) for s in second] == [("A b c.", 0, 1000)]
    assert [(s.text, s.start_ms, s.end_ms) for s in third] == [("D e f.", 1000, 2000)]
    assert [(s.text, s.start_ms, s.end_ms) for s in last] == [("G.", 2000, 2100)]
    assert [w.start_ms for w in third[0].words] == [1000, 1800, 1900]


def test_a_long_pause_ends_a_sentence():
    first, second, last = make([("a b", 0), ("c d", 9000)], LocalModels())
    assert first == []
    assert [s.text for s in second] == ["A b."]
    assert [s.text for s in last] == ["C d."]


def test_without_marks_a_segment_is_a_sentence():
    assert [[s.text for s in part] for part in make([("a b", 0), ("c", 900)])] == [
        ["a b"],
        ["c"],
        [],
    ]


def test_an_answer_that_is_another_text_is_refused():
    answer = LocalModels()._punctuate("a b c")
    for text in ("a b", "a b c d"):
        with pytest.raises(ProtocolError, match="expected WORDS of"):
            parse_punctuation(text, answer)
    with pytest.raises(ProtocolError, match="expected TEXT, WORDS and MARKS"):
        parse_punctuation("a", {"TEXT": answer["TEXT"]})


# The whole


def test_every_segment_is_recognised_once_and_in_order(speech):
    models = LocalModels(delay_s=0.02, together=2, language="en")
    result = asyncio.run(whole(models, speech, itn=False))
    assert result.text == " ".join(f"word{i}" for i in range(8))
    assert models.most_at_a_time > 1
    starts = [sentence.start_ms for sentence in result.sentences]
    # A burst a second long every three seconds, from 2 s on; the VAD adds some silence.
    assert starts == pytest.approx([2000 + 3000 * i for i in range(8)], abs=500)
    assert result.summary.segments == 8
    assert result.language == "en"
    assert result.duration_s == pytest.approx(26)
    assert sum(models.segments_s) == pytest.approx(result.summary.speech_s)
    assert result.timings.total_s >= result.timings.first_sentence_s > 0


def test_options_reach_the_vad(speech):
    models = LocalModels()
    options = {"max_end_silence_time": 3000, "max_single_segment_time": 2000}
    asyncio.run(whole(models, speech, vad_options=options))
    assert models.parameters == [
        {"max_end_silence_time": "3000", "max_single_segment_time": "2000"}
    ]
    assert max(models.segments_s) <= 2.01
    models = LocalModels()
    asyncio.run(whole(models, speech))
    assert models.parameters == [{"max_single_segment_time": "30000"}]


@pytest.mark.parametrize(
    "options",
    [
        {"vad_options": {"max_single_segment_time": 120_000}},
        {"vad_options": {"detect_mode": 0}},
        {"vad_options": {"speech_noise_thres": "high"}},
        {"vad_options": {"speech_noise_thres": float("nan")}},
        {"in_flight": 0},
        {"language": "klingon"},
    ],
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(OptionError, match="expected"):
        FileOptions(**options)


def test_no_more_segments_than_allowed_are_under_way(speech):
    models = LocalModels(delay_s=0.05, together=2)
    asyncio.run(whole(models, speech, in_flight=2))
    assert models.most_at_a_time == 2


def test_whoever_reads_slowly_holds_up_everything_and_the_vad_is_kept_alive(speech, monkeypatch):
    monkeypatch.setattr(speech_detection, "KEEP_ALIVE_S", 0.05)

    async def run():
        models = LocalModels()
        async with transcription(models, speech, in_flight=2) as file:
            sentence = await anext(file)
            while models.empty_vad_requests < 3:  # for its life only
                await asyncio.sleep(0.05)
            assert len(models.segments_s) <= 2 + 1
            texts = [sentence.text] + [sentence.text async for sentence in file]
        return texts

    assert asyncio.run(run()) == [f"word{i}" for i in range(8)]


def test_audio_that_is_first_and_last_is_one_request_and_opens_no_stream():
    models, opened = LocalModels(), []
    models.open_stream = lambda: opened.append(None)

    async def run():
        async with speech_detection.SpeechDetector(models, {}, timeout_s=5) as detector:
            await detector.accept(np.zeros(16_000, np.float32), is_last=True)

    asyncio.run(run())
    assert (models.vad_requests, opened, models.streams) == (1, [], {})


def test_cancelling_while_the_detector_is_left_still_ends_the_sequence():
    models = LocalModels()

    async def use():
        async with speech_detection.SpeechDetector(models, {}, timeout_s=5) as detector:
            await detector.accept(np.zeros(16_000, np.float32))
            asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(use())
    assert (models.vad_requests, models.streams) == (2, {})


def test_a_segment_that_fails_fails_the_file_with_its_time(speech):
    async def run():
        models = LocalModels(failing=3, error=ServerError("out of memory", server_message="oom"))
        texts = []
        async with transcription(models, speech) as file:
            with pytest.raises(
                ServerError, match=r"talk.flac: segment 10\.\d+-12\.\d+ s: out of"
            ) as e:
                async for sentence in file:
                    texts.append(sentence.text)
            assert e.value.server_message == "oom"
            with pytest.raises(ServerError):  # it does not go on behind the gap
                await anext(file)
            with pytest.raises(ClientClosed):
                _ = file.summary
        assert not models.streams
        return texts

    assert asyncio.run(run()) == ["word0", "word1", "word2"]


@pytest.mark.parametrize("name", ["vad", "punctuation", "infer_pipeline"])
def test_a_missing_model_is_named_with_the_way_to_install_it(speech, name):
    models = LocalModels(missing=frozenset({name}))
    with pytest.raises(ModelNotFound, match=f"'{name}'") as caught:
        asyncio.run(whole(models, speech, model="paraformer"))
    assert ("install_model" in str(caught.value)) == (name != "infer_pipeline")
    assert models.vad_requests == 0


def test_without_punctuation_its_model_is_not_needed(speech):
    models = LocalModels(missing=frozenset({"punctuation"}))
    result = asyncio.run(whole(models, speech, model="paraformer", punctuation=False))
    assert len(result.sentences) == 8
    sensevoice = LocalModels(missing=frozenset({"punctuation"}))
    assert len(asyncio.run(whole(sensevoice, speech)).sentences) == 8


def test_paraformer_is_punctuated_across_segments_and_gets_figures(speech):
    texts = ["one apple", "and twenty five", "pears", "a b c", "", "d", "e", "f"]
    models = LocalModels(texts=texts)
    result = asyncio.run(whole(models, speech, model="paraformer", language="en"))
    assert [s.text for s in result.sentences] == ["One apple and.", "25 pears.", "A b c.", "D e f."]
    assert [w.text for w in result.sentences[1].words] == ["25", "pears"]
    assert models.punctuated[0] == "one apple"


def test_timestamps_may_be_left_out(speech):
    result = asyncio.run(whole(LocalModels(), speech, timestamps=False))
    assert result.words == []
    assert result.sentences[1].start_ms > 4000


def test_a_file_without_speech_has_no_sentences(tmp_path):
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(5 * RATE, np.float32), RATE)
    result = asyncio.run(whole(LocalModels(), path))
    assert (result.text, result.sentences, result.language) == ("", [], None)
    assert result.duration_s == pytest.approx(5)


def test_a_file_that_is_no_audio_is_told_and_leaves_nothing(tmp_path):
    path = tmp_path / "talk.mp3"
    path.write_text("This is no recording.\n" * 100)
    models = LocalModels()
    with pytest.raises(AudioError, match=r"talk\.mp3"):
        asyncio.run(whole(models, path))
    assert not models.streams


# Leaving early


NEVER_S = 3600.0  # of a recognition that is given up


def leaving(speech: Path, leave, delay_s: float = 0.05) -> LocalModels:
    """Run `leave(file)` in the middle of a file; nothing may be left."""

    async def run():
        models = LocalModels(delay_s=delay_s)
        file = transcription(models, speech)
        await leave(file)
        await file.close()
        assert not models.streams
        assert models.at_a_time == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return models

    return asyncio.run(run())


def test_leaving_after_a_sentence_leaves_nothing(speech):
    async def leave(file):
        async with file:
            await anext(file)
        with pytest.raises(ClientClosed):
            while True:
                await anext(file)

    leaving(speech, leave)


def test_an_exception_leaves_nothing(speech):
    async def leave(file):
        with pytest.raises(KeyError):
            async with file:
                await anext(file)
                raise KeyError

    leaving(speech, leave)


def test_cancelling_leaves_nothing(speech):
    async def leave(file):
        async def read():
            async with file:
                async for _ in file:
                    reading.cancel()  # takes effect while it waits for the next

        reading = asyncio.create_task(read())
        with pytest.raises(asyncio.CancelledError):
            await reading

    leaving(speech, leave)


def test_a_sentence_that_was_given_up_is_not_skipped_silently(speech):
    async def leave(file):
        async with file:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(file), 0.001)
            with pytest.raises(ClientClosed, match="cancelled"):
                await anext(file)

    leaving(speech, leave, NEVER_S)


def test_what_is_not_open_is_told(speech):
    async def leave(file):
        with pytest.raises(ClientClosed, match="not open"):
            await anext(file)

    leaving(speech, leave)


def test_closing_wakes_who_waits(speech):
    async def leave(file):
        await file.open()
        waiting = asyncio.create_task(file.result())
        await asyncio.sleep(0.02)
        await file.close()
        with pytest.raises(ClientClosed):
            await waiting

    leaving(speech, leave, NEVER_S)


# Memory


def test_memory_does_not_depend_on_the_length(tmp_path):
    """Twenty minutes are 77 MB of samples; what is kept is some segments."""
    path = tmp_path / "long.wav"
    piece = bursts(20, speech_s=7.0, pause_s=1.5, seed=1)
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        while file.frames < 20 * 60 * RATE:
            file.write(piece)
    models = LocalModels(schedule=[(10_000 * i, 10_000 * i + 9_000) for i in range(119)])

    async def run():
        count = 0
        async with transcription(models, path) as file:
            async for _ in file:
                count += 1
                if count == 10:
                    tracemalloc.start()
        return count, file.summary.duration_s

    try:
        count, duration_s = asyncio.run(run())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert duration_s >= 20 * 60
    assert count == 119
    assert peak < 25e6
