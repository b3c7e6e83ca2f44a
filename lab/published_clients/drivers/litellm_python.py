"""litellm: OpenAI's API by way of its router."""

import sys

import litellm

url, file = sys.argv[1:]
for options in ({}, {"response_format": "verbose_json"}):
    with open(file, "rb") as audio:
        answer = litellm.transcription(
            model="openai/whisper-1", file=audio, api_base=f"{url}/v1", api_key="none", **options
        )
    print(answer.text)
