"""OpenAI's Python package: the Realtime API, with the server's VAD and with commits, both loops."""

import asyncio
import base64
import sys
import wave

import openai

RATE = 16_000
PIECE = 3200  # bytes; 100 ms
COMPLETED = "conversation.item.input_audio_transcription.completed"

url, file = sys.argv[1:]
with wave.open(file) as audio:
    samples = audio.readframes(audio.getnframes())


def session(turn_detection):
    audio_input = {
        "format": {"type": "audio/pcm", "rate": RATE},
        "transcription": {"model": "gpt-4o-transcribe"},
        "turn_detection": turn_detection,
    }
    return {"type": "transcription", "audio": {"input": audio_input}}


def pieces(data):
    for first in range(0, len(data), PIECE):
        yield base64.b64encode(data[first : first + PIECE]).decode()


async def with_vad():
    vad = {"type": "server_vad", "silence_duration_ms": 800, "prefix_padding_ms": 200}
    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none")
    async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        await connection.session.update(session=session(vad))
        for piece in pieces(samples + bytes(2 * RATE * 2)):
            await connection.input_audio_buffer.append(audio=piece)
        texts, deltas = [], 0
        async for event in connection:
            if event.type == "error":
                raise SystemExit(event.error.message)
            deltas += event.type.endswith("transcription.delta")
            if event.type == COMPLETED:
                type(event).model_validate(event.model_dump(), strict=True)
                texts.append(event.transcript)
                if len(texts) == 2:
                    break
    print("with a VAD", "".join(texts))
    print("deltas" if deltas else "no delta")


def with_commits():
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")
    with client.realtime.connect(model="gpt-realtime") as connection:
        connection.session.update(session=session(None))
        for piece in pieces(samples):
            connection.input_audio_buffer.append(audio=piece)
        connection.input_audio_buffer.commit()
        for event in connection:
            if event.type == "error":
                raise SystemExit(event.error.message)
            if event.type == COMPLETED:
                print("with a commit", event.transcript)
                break


asyncio.run(with_vad())
with_commits()
