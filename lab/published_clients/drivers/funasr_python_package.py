"""funasr-python: a file in its default mode, and in the others."""

import asyncio
import sys

from funasr_client import AsyncFunASRClient, ClientConfig, RecognitionMode

url, file = sys.argv[1:]


async def main() -> None:
    for mode in RecognitionMode:
        client = AsyncFunASRClient(config=ClientConfig(server_url=url, mode=mode))
        result = await client.recognize_file(file)
        print(mode.value, result.text)
        await client.close()


asyncio.run(main())
