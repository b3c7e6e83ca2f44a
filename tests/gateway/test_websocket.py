"""FunASR's protocol on a real gateway in front of a real Triton with the embedded models."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json

import numpy as np
import pytest
import soundfile
import websockets

from asr_client import AsyncClient
from asr_client.files import SegmentRecogniser
from asr_client.files.options import FileOptions
from asr_client.files.segments import Segment
from asr_client.files.sentences import split_sentences
from asr_client.text.alignment import text_units
from asr_contract import SAMPLE_RATE
from tests.funasr_counting import client_pieces
from tests.gateway.gateways import (
    END,
    begin,
    client_of,
    pcm,
    recognise,
    replies,
    running_gateway,
    send_utterance,
    spoken_pcm,
    texts,
)
from tests.streams import wait_for_open_sessions

AUDIO = spoken_pcm(2)


@pytest.fixture(scope="module", autouse=True)
def nothing_left(triton):
    yield
    for model in ("vad", "streaming_cif_search"):
        wait_for_open_sessions(triton, 0, model=model)


@pytest.fixture(scope="module")
def two_passes(gateway):
    """The replies to the audio in mode 2pass."""
    return asyncio.run(recognise(gateway, AUDIO, wav_name="talk"))


def timed(reply: dict) -> list[list[int]]:
    return json.loads(reply["timestamp"])


def test_2pass_gives_partials_sentences_and_one_final(two_passes):
    assert all(reply["wav_name"] == "talk" for reply in two_passes)
    assert [reply["is_final"] for reply in two_passes] == [False] * (len(two_passes) - 1) + [True]
    assert two_passes[-1]["mode"] == "2pass-offline"
    sentences = [reply for reply in two_passes if reply["mode"] == "2pass-offline"]
    assert [reply["index"] for reply in sentences] == list(range(len(sentences)))
    assert len(sentences) == 2
    latest = 0
    for reply in sentences:
        assert reply["text"][-1] in "。？！.?!"
        pairs = timed(reply)
        assert len(pairs) == client_pieces(reply["text"])[-1][0]
        assert all(start <= end for start, end in pairs)
        assert latest <= reply["start_time"] <= pairs[0][0] <= pairs[-1][1] <= reply["end_time"]
        assert [pair for stamp in reply["stamp_sents"] for pair in stamp["ts_list"]] == pairs
        latest = reply["end_time"]


def test_2pass_sentences_are_what_the_offline_models_give_for_the_same_segments(
    gateway, triton_url, two_passes
):
    sentences = [reply for reply in two_passes if reply.get("slice_type") == 2]
    samples = np.frombuffer(AUDIO, "<i2").astype(np.float32) / 32768

    async def alone() -> list[str]:
        async with AsyncClient(triton_url) as client:
            return [
                (
                    await client.transcribe(
                        samples[reply["start_time"] * 16 : reply["end_time"] * 16],
                        sample_rate=SAMPLE_RATE,
                    )
                ).text
                for reply in sentences
            ]

    assert [reply["text"] for reply in sentences] == asyncio.run(alone())


def test_2pass_says_what_a_recording_and_the_http_pipeline_say(gateway, triton_url, two_passes):
    recorded = asyncio.run(recognise(gateway, AUDIO, mode="offline"))
    assert len(recorded) == 1
    text = "".join(texts(two_passes, "2pass-offline"))
    assert recorded[0]["text"] == text
    assert recorded[0]["mode"] == "offline" and recorded[0]["is_final"]
    stamps = [pair for reply in two_passes if "timestamp" in reply for pair in timed(reply)]
    assert timed(recorded[0]) == stamps


def test_with_paraformer_the_second_pass_is_punctuated(gateway, triton_url):
    samples = np.frombuffer(AUDIO, "<i2").astype(np.float32) / 32768
    chosen = asyncio.run(recognise(gateway, AUDIO, model="paraformer"))
    with running_gateway(triton_url, model="paraformer") as gateway:
        received = asyncio.run(recognise(gateway, AUDIO))
        plain = asyncio.run(recognise(gateway, AUDIO, itn=False))
    assert texts(chosen, "2pass-offline") == texts(received, "2pass-offline")

    async def alone() -> list[str]:
        async with AsyncClient(triton_url) as client:
            recogniser = SegmentRecogniser(
                client.transport,
                client.url,
                FileOptions(model="paraformer", itn=False),
                client.timeout_s,
            )
            await recogniser.open()
            found = []
            for reply in plain:
                if reply.get("slice_type") == 2:
                    start, end = reply["start_time"], reply["end_time"]
                    segment = Segment(start, end, samples[start * 16 : end * 16])
                    text = (
                        await client.transcribe(
                            segment.waveform, sample_rate=SAMPLE_RATE, model="paraformer"
                        )
                    ).text
                    sentence = await recogniser.recognise(segment)
                    assert sentence is not None
                    letters = "".join(unit.text for unit in text_units(sentence.text))
                    assert letters == "".join(unit.text for unit in text_units(text))
                    found.append(sentence.text)
            return found

    assert texts(plain, "2pass-offline") == asyncio.run(alone())
    assert all(text[-1] in "。？！.?!" for text in texts(received, "2pass-offline"))
    figures = "".join(texts(received, "2pass-offline"))
    assert any(character.isdigit() for character in figures)
    assert not any(character.isdigit() for character in "".join(texts(plain, "2pass-offline")))


def test_online_gives_all_words_as_deltas(gateway):
    received = asyncio.run(recognise(gateway, AUDIO, mode="online"))
    assert {reply["mode"] for reply in received} == {"online"}
    assert received[-1]["is_final"] and received[-1]["text"]  # the last words
    assert not any(reply["is_final"] for reply in received[:-1])
    assert len("".join(texts(received, "online"))) >= 10
    ends = [reply["end_time"] for reply in received]
    assert ends == sorted(ends)
    again = asyncio.run(recognise(gateway, AUDIO, mode="online", chunk_size="0,8,4"))
    assert texts(again, "online")


@pytest.mark.parametrize("frame", [13, 333, 200_000])
def test_frames_of_any_size_give_the_same_sentences(gateway, two_passes, frame):
    async def run() -> list[dict]:
        async with client_of(gateway) as socket:
            await send_utterance(socket, AUDIO, frame)
            return await replies(socket)

    received = asyncio.run(run())
    assert texts(received, "2pass-offline") == texts(two_passes, "2pass-offline")


def test_a_wav_header_in_front_of_pcm_is_no_audio(gateway, two_passes):
    file = io.BytesIO()
    soundfile.write(file, np.frombuffer(AUDIO, "<i2"), SAMPLE_RATE, format="WAV")
    for mode in ("2pass", "offline"):
        received = asyncio.run(
            recognise(gateway, file.getvalue(), mode=mode, wav_format="PCM", audio_fs=8000)
        )
        text = "".join(reply["text"] for reply in received if "online" not in reply["mode"])
        assert text == "".join(texts(two_passes, "2pass-offline"))


def test_other_sample_rates_are_resampled(gateway):
    samples = np.frombuffer(AUDIO, "<i2").reshape(-1, 2).mean(1).astype("<i2")
    live = asyncio.run(recognise(gateway, samples.tobytes(), audio_fs=8000))
    recorded = asyncio.run(recognise(gateway, samples.tobytes(), audio_fs=8000.0, mode="offline"))
    assert len(texts(live, "2pass-offline")) == 2
    assert len(recorded[0]["text"]) >= 10


def test_files_are_decoded_whatever_the_mode(gateway):
    file = io.BytesIO()
    soundfile.write(file, np.frombuffer(AUDIO, "<i2"), SAMPLE_RATE, format="FLAC")
    expected = asyncio.run(recognise(gateway, AUDIO, mode="offline"))[0]["text"]
    for mode, label in (("offline", "offline"), ("2pass", "2pass-offline")):
        received = asyncio.run(recognise(gateway, file.getvalue(), mode=mode, wav_format="flac"))
        assert [(reply["text"], reply["mode"]) for reply in received] == [(expected, label)]
        assert received[0]["is_final"]


def test_several_utterances_on_one_socket_are_each_for_itself(gateway, two_passes):
    async def run() -> list[list[dict]]:
        async with client_of(gateway, "/ws", subprotocols=["binary"]) as socket:
            assert socket.subprotocol == "binary"
            received = []
            for mode in ("2pass", "offline", "2pass"):
                await send_utterance(socket, AUDIO, mode=mode, wav_name=mode)
                received.append(await replies(socket))
            # The next may be sent before the results are there.
            for _ in range(2):
                await send_utterance(socket, AUDIO, 19200, mode="offline")
            received += [await replies(socket), await replies(socket)]
            return received

    first, recorded, again, *both = asyncio.run(run())
    sentences = [reply for reply in two_passes if reply.get("slice_type") == 2]
    for received in (first, again):
        found = [reply for reply in received if reply.get("slice_type") == 2]
        assert [{**reply, "wav_name": "talk"} for reply in found] == sentences
    assert [each[0]["text"] for each in both] == [recorded[0]["text"]] * 2


def test_an_end_without_audio_is_answered(gateway):
    for mode in ("2pass", "online", "offline"):
        received = asyncio.run(recognise(gateway, b"", mode=mode))
        assert [(reply["text"], reply["is_final"]) for reply in received] == [("", True)]
    received = asyncio.run(recognise(gateway, bytes(32000)))  # silence
    assert [(reply["text"], reply["is_final"]) for reply in received] == [("", True)]
    received = asyncio.run(recognise(gateway, b"\x00"))  # half a sample
    assert [(reply["text"], reply["is_final"]) for reply in received] == [("", True)]


def test_the_end_is_acknowledged_if_asked_for_only(gateway):
    async def run() -> None:
        async with client_of(gateway) as socket:
            await socket.send(begin(wav_name="a"))
            await socket.send('{"is_speaking": false}')
            assert "is_end" not in json.loads(await socket.recv())
            await socket.send(begin(wav_name="b"))
            await socket.send(END)
            assert "is_end" not in json.loads(await socket.recv())
            last = json.loads(await socket.recv())
            assert last == {
                "mode": "2pass",
                "wav_name": "b",
                "text": "",
                "is_final": True,
                "is_end": True,
            }
            await socket.send(END)  # of an utterance that has ended: acknowledged, not repeated
            assert json.loads(await socket.recv())["is_end"]

    asyncio.run(run())


HOTWORDS = ["阿里巴巴 达摩院", '{"阿里巴巴":20}', {"阿里巴巴": 20}, ["阿里巴巴"], "阿里巴巴 20\n"]


@pytest.mark.parametrize("hotwords", HOTWORDS)
def test_hotwords_in_every_form_cost_no_text(gateway, two_passes, hotwords):
    received = asyncio.run(recognise(gateway, AUDIO, hotwords=hotwords))
    assert texts(received, "2pass-offline") == texts(two_passes, "2pass-offline")
    assert "warning" not in received[-1]


def test_a_hotword_that_cannot_be_written_is_named(gateway):
    received = asyncio.run(recognise(gateway, AUDIO, hotwords="阿里巴巴 C++"))
    assert "hotword 'C++'" in received[-1]["warning"]


def test_sensevoice_is_told_language_and_itn(gateway):
    audio = spoken_pcm(1, "yue")
    marked = asyncio.run(recognise(gateway, audio, mode="offline", svs_lang="yue"))
    plain = asyncio.run(
        recognise(gateway, audio, mode="offline", svs_lang="yue", svs_itn=False, itn=True)
    )
    assert marked[0]["text"][-1] in "。？！"
    assert not set("。？！，") & set(plain[0]["text"])


def test_service_offline_replies_once_whatever_the_mode(triton_url):
    with running_gateway(triton_url, service="offline", offline_is_final=False) as gateway:

        async def run() -> list[dict]:
            async with client_of(gateway) as socket:  # an older script: no chunk_size, no is_end
                await socket.send('{"mode": "2pass", "wav_name": "a", "is_speaking": true}')
                await socket.send(AUDIO)
                await socket.send('{"is_speaking": false}')
                first = json.loads(await socket.recv())
                await socket.send('{"is_speaking": true}')
                await socket.send(AUDIO)
                await socket.send('{"is_speaking": false, "is_finished": true}')
                return [first, json.loads(await socket.recv())]

        for reply in asyncio.run(run()):
            assert reply["mode"] == "offline"
            assert reply["is_final"] is False
            assert len(split_sentences(reply["text"])) == 2


def test_many_at_once_are_each_what_they_are_alone(gateway):
    audios = [spoken_pcm(1, seed=seed) for seed in range(4)]

    async def run() -> tuple[list[list[dict]], list[list[dict]]]:
        alone = [await recognise(gateway, audio) for audio in audios]
        calls = [recognise(gateway, audio) for audio in audios * 2]
        return alone, await asyncio.gather(*calls)

    alone, together = asyncio.run(run())
    expected = [texts(received, "2pass-offline") for received in alone]
    assert [texts(received, "2pass-offline") for received in together] == expected * 2


def test_stopping_finishes_open_utterances_and_says_why(triton_url):
    with running_gateway(triton_url, shutdown_grace_s=120) as gateway:

        async def run() -> tuple[list[dict], int, str]:
            async with client_of(gateway) as socket, client_of(gateway) as idle:
                await socket.send(begin())
                await socket.send(AUDIO)
                received = [json.loads(await socket.recv())]  # it is under way
                gateway.server.should_exit = True
                await idle.wait_closed()
                assert idle.close_code == 1001
                async for message in socket:
                    received.append(json.loads(message))
                return received, socket.close_code or 0, socket.close_reason or ""

        received, code, reason = asyncio.run(run())
    assert len([text for text in texts(received, "2pass-offline") if text]) == 2
    assert received[-1]["is_final"] and "shutting down" in received[-1]["warning"]
    assert (code, "shutting down" in reason) == (1001, True)


def test_a_lost_triton_is_an_error_and_a_close():
    with running_gateway("grpc://127.0.0.1:1") as gateway:

        async def run() -> tuple[list[dict], int]:
            async with client_of(gateway) as socket:
                with contextlib.suppress(websockets.ConnectionClosed):
                    await socket.send(begin())
                    await socket.send(pcm(np.zeros(16000, np.float32)))
                received = [json.loads(await socket.recv())]
                await socket.wait_closed()
                return received, socket.close_code or 0

        received, code = asyncio.run(run())
    assert code == 1013
    assert received[-1]["error"].endswith("come again in 5 s")
    assert "not available" in received[-1]["error"]  # where Triton is, is nobody's business
    assert "127.0.0.1" not in received[-1]["error"] and "grpc" not in received[-1]["error"]
