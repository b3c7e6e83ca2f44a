"""LiveKit's OpenAI plugin: one utterance."""

import asyncio
import sys
import wave

import aiohttp
from livekit import rtc
from livekit.agents import utils
from livekit.plugins import openai

url, file = sys.argv[1:]


def frames() -> list[rtc.AudioFrame]:
    with wave.open(file) as audio:
        data = audio.readframes(audio.getnframes())
        return [rtc.AudioFrame(data, audio.getframerate(), 1, audio.getnframes())]


async def main() -> None:
    async with aiohttp.ClientSession():
        utils.http_context._new_session_ctx()
        stt = openai.STT(base_url=f"{url}/v1", api_key="none", language="zh")
        event = await stt.recognize(frames())
        print("recognize", event.alternatives[0].text)


asyncio.run(main())
