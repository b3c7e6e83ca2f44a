"""LiveKit's OpenAI plugin: a stream of the Realtime API, at the speed of speech."""

import asyncio
import sys
import wave

from livekit import rtc
from livekit.agents import stt, utils
from livekit.plugins import openai

FRAME_S = 0.05
PAUSE_S = 1.5  # as a microphone goes on behind the last word

url, file = sys.argv[1:]


def frames() -> list[rtc.AudioFrame]:
    with wave.open(file) as audio:
        data, rate = audio.readframes(audio.getnframes()), audio.getframerate()
    data += bytes(int(PAUSE_S * rate) * 2)
    size = 2 * int(FRAME_S * rate)
    pieces = [data[first : first + size] for first in range(0, len(data), size)]
    return [rtc.AudioFrame(piece, rate, 1, len(piece) // 2) for piece in pieces]


async def push(stream: stt.SpeechStream) -> None:
    for frame in frames():
        stream.push_frame(frame)
        await asyncio.sleep(FRAME_S)


async def main() -> None:
    utils.http_context._new_session_ctx()
    model = openai.STT(base_url=f"{url}/v1", api_key="none", language="zh", use_realtime=True)
    finals: list[str] = []
    kinds: set[str] = set()
    stream = model.stream()
    pushing = asyncio.create_task(push(stream))
    async for event in stream:
        kinds.add(event.type.value)
        if event.type == stt.SpeechEventType.FINAL_TRANSCRIPT:
            finals.append(event.alternatives[0].text)
            if len(finals) == 2:
                break
    await pushing
    await stream.aclose()
    await model.aclose()
    await utils.http_context._close_http_ctx()
    print("realtime", "".join(finals))
    print("events", *sorted(kinds))


asyncio.run(main())
