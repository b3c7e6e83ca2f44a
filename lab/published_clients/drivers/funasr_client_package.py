"""funasr-client: a file in each mode. Its blocking client waits for itself when it closes."""

import asyncio
import sys

from funasr_client import async_file_asr_stream

url, file = sys.argv[1:]


async def main() -> None:
    for mode in ("offline", "2pass"):
        text = ""
        async for message in async_file_asr_stream(file, url, mode=mode):
            if message["mode"] in ("offline", "2pass-offline"):
                text += message["text"]
        print(mode, text)


asyncio.run(main())
