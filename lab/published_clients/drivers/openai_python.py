"""OpenAI's Python package: text, words and segments, events, subtitles."""

import sys

import openai

url, file = sys.argv[1:]
client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
create = client.audio.transcriptions.create


def transcribe(**options):
    with open(file, "rb") as audio:
        return create(model="gpt-4o-transcribe", file=audio, **options)


print("json", transcribe(include=["logprobs"]).text)
verbose = transcribe(
    response_format="verbose_json", timestamp_granularities=["word", "segment"], temperature=0
)
type(verbose).model_validate(verbose.model_dump(), strict=True)
print("verbose_json", verbose.language, "".join(each.text for each in verbose.segments))
print("words", "".join(each.word for each in verbose.words))
print("srt", transcribe(response_format="srt"))
print("stream", "".join(getattr(event, "delta", "") for event in transcribe(stream=True)))
