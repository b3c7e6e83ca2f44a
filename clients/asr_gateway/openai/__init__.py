"""OpenAI's HTTP API for transcriptions.

    upload_endpoint  what a request with a recording passes through: keys, limits, counters
    transcriptions   transcriptions: a request from its form to its answer
    alignments       alignments of texts, which OpenAI has not
    uploads          reads a form within limits of size and time
    form             the fields of the form
    answer           transcripts in the formats that may be asked for, and as events
    logprobs         how probable words are
    api_errors       failures as the API has them
    openapi          the description, which `/openapi.json` serves

A field of the form: `form.py` and `openapi.py`. How large and slow an upload may be: `uploads.py`,
with the numbers that are settings in `shared/settings.py`.
"""

from .alignments import AlignmentEndpoint
from .api_errors import ApiError, api_error
from .logprobs import word_logprobs
from .openapi import openapi_document
from .transcriptions import ModelList, TranscriptionEndpoint

__all__ = [
    "AlignmentEndpoint",
    "ApiError",
    "ModelList",
    "TranscriptionEndpoint",
    "api_error",
    "openapi_document",
    "word_logprobs",
]
