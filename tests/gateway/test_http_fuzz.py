"""The HTTP API against its own description: requests made by schemathesis."""

from __future__ import annotations

import os

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from asr_gateway.openai.openapi import openapi_document

TIMEOUT_S = 120
SCHEMA = schemathesis.openapi.from_dict(openapi_document())


def answers_of(path: str):
    """A test of one path. One of all of them has a single id for all, and pytest-xdist runs one."""

    @SCHEMA.include(path=path).parametrize()
    @settings(
        max_examples=int(os.environ.get("FUZZ_EXAMPLES", "10")),
        suppress_health_check=list(HealthCheck),
    )
    def test_answers_are_those_described(gateway, case):
        # Bytes that are no audio are refused, and so is most of what the schema calls a file.
        case.call_and_validate(
            base_url=gateway.http, timeout=TIMEOUT_S, excluded_checks=[positive_data_acceptance]
        )

    return test_answers_are_those_described


for described in openapi_document()["paths"]:
    globals()[f"test_answers_of_{described}"] = answers_of(described)
