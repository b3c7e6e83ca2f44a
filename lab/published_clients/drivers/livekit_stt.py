"""LiveKit's OpenAI plugin: one utterance, and a stream of the Realtime API."""

import asyncio
import sys
import wave

import aiohttp
from livekit import rtc
from livekit.agents import stt, utils
from livekit.plugins import openai

FRAME_S = 0.05
PAUSE_S = 1.5  # as a microphone goes on behind the last word

url, file = sys.argv[1:]


def read() -> tuple[bytes, int]:
    with wave.open(file) as audio:
        return audio.readframes(audio.getnframes()), audio.getframerate()


def frames() -> list[rtc.AudioFrame]:
    data, rate = read()
    data += bytes(int(PAUSE_S * rate) * 2)
    size = int(FRAME_S * rate)
    pieces = [data[first : first + 2 * size] for first in range(0, len(data), 2 * size)]
    return [rtc.AudioFrame(piece, rate, 1, len(piece) // 2) for piece in pieces]


async def listen(model: openai.STT, pieces: list[rtc.AudioFrame]) -> tuple[list[str], set[str]]:
    """The final texts of a stream, up to what its last item says, and what else came."""
    finals, kinds = [], set()
    stream = model.stream()

    async def push() -> None:
        for piece in pieces:
            stream.push_frame(piece)
            await asyncio.sleep(FRAME_S)

    pushing = asyncio.create_task(push())
    try:
        async for event in stream:
            kinds.add(event.type.value)
            if event.type == stt.SpeechEventType.FINAL_TRANSCRIPT:
                finals.append(event.alternatives[0].text)
            if event.type == stt.SpeechEventType.RECOGNITION_USAGE and pushing.done():
                break
            if len(finals) == 2:
                break
    finally:
        pushing.cancel()
        await stream.aclose()
    return finals, kinds


async def main() -> None:
    async with aiohttp.ClientSession():
        utils.http_context._new_session_ctx()
        options = {"base_url": f"{url}/v1", "api_key": "none", "language": "zh"}
        data, rate = read()
        whole = rtc.AudioFrame(data, rate, 1, len(data) // 2)
        event = await openai.STT(**options).recognize([whole])
        print("recognize", event.alternatives[0].text)
        finals, kinds = await listen(openai.STT(use_realtime=True, **options), frames())
        print("realtime", "".join(finals))
        print("events", *sorted(kinds))


asyncio.run(main())
