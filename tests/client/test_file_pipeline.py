"""A whole file through the pipeline, without a server: order, bounds, options, errors, memory."""

from __future__ import annotations

import asyncio
import tracemalloc

import numpy as np
import pytest
import soundfile

import asr_client.files.speech_detection as speech_detection
from asr_client import (
    AudioError,
    ClientClosed,
    ModelNotFound,
    OptionError,
    ServerError,
    ServerNotReady,
)
from asr_client.files.options import FileOptions
from tests.client.file_transcriptions import transcription, whole
from tests.client.local_models import LocalModels, bursts

RATE = 16_000

pytestmark = pytest.mark.usefixtures("no_process_left")


def test_every_segment_is_recognised_once_and_in_order(talk):
    models = LocalModels(delay_s=0.02, together=2, language="en")
    result = asyncio.run(whole(models, talk, itn=False))
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


def test_options_reach_the_vad(talk):
    models = LocalModels()
    options = {"max_end_silence_time": 3000, "max_single_segment_time": 2000}
    asyncio.run(whole(models, talk, vad_options=options))
    assert models.parameters == [
        {"max_end_silence_time": "3000", "max_single_segment_time": "2000"}
    ]
    assert max(models.segments_s) <= 2.01
    models = LocalModels()
    asyncio.run(whole(models, talk))
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


def test_no_more_segments_than_allowed_are_under_way(talk):
    models = LocalModels(delay_s=0.05, together=2)
    asyncio.run(whole(models, talk, in_flight=2))
    assert models.most_at_a_time == 2


def test_whoever_reads_slowly_holds_up_everything_and_the_vad_is_kept_alive(talk, monkeypatch):
    monkeypatch.setattr(speech_detection, "KEEP_ALIVE_S", 0.05)

    async def run():
        models = LocalModels()
        async with transcription(models, talk, in_flight=2) as file:
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


def test_a_segment_that_fails_fails_the_file_with_its_time(talk):
    async def run():
        models = LocalModels(failing=3, error=ServerError("out of memory", server_message="oom"))
        texts = []
        async with transcription(models, talk) as file:
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
def test_a_missing_model_is_named_with_the_way_to_install_it(talk, name):
    models = LocalModels(missing=frozenset({name}))
    with pytest.raises(ModelNotFound, match=f"'{name}'") as caught:
        asyncio.run(whole(models, talk, model="paraformer"))
    assert ("triton-asr-server install" in str(caught.value)) == (name != "infer_pipeline")
    assert models.vad_requests == 0


def test_a_server_that_ends_is_not_said_to_lack_a_model(talk):
    with pytest.raises(ServerNotReady, match="it starts, or it stops"):
        asyncio.run(whole(LocalModels(ends=True), talk, model="paraformer"))


def test_without_punctuation_its_model_is_not_needed(talk):
    models = LocalModels(missing=frozenset({"punctuation"}))
    result = asyncio.run(whole(models, talk, model="paraformer", punctuation=False))
    assert len(result.sentences) == 8
    sensevoice = LocalModels(missing=frozenset({"punctuation"}))
    assert len(asyncio.run(whole(sensevoice, talk)).sentences) == 8


def test_paraformer_is_punctuated_across_segments_and_gets_figures(talk):
    texts = ["one apple", "and twenty five", "pears", "a b c", "", "d", "e", "f"]
    models = LocalModels(texts=texts)
    result = asyncio.run(whole(models, talk, model="paraformer", language="en"))
    assert [s.text for s in result.sentences] == ["One apple and.", "25 pears.", "A b c.", "D e f."]
    assert [w.text for w in result.sentences[1].words] == ["25", "pears"]
    assert models.punctuated[0] == "one apple"


def test_timestamps_may_be_left_out(talk):
    result = asyncio.run(whole(LocalModels(), talk, timestamps=False))
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
