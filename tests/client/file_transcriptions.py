"""Transcriptions of files by models that run in this process."""

from __future__ import annotations

from pathlib import Path

from asr_client.aio.transcription import AsyncFileTranscription
from asr_client.files.options import FileOptions
from tests.client.local_models import LocalModels


def transcription(models: LocalModels, path: Path, **options) -> AsyncFileTranscription:
    return AsyncFileTranscription(models, "local", path, FileOptions(**options), 60.0)


async def whole(models: LocalModels, path: Path, **options):
    async with transcription(models, path, **options) as file:
        result = await file.result()
    assert not models.streams
    return result
