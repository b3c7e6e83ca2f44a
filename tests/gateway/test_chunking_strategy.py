"""OpenAI's `chunking_strategy`: a word, JSON, or a field of the form for each of its own."""

from __future__ import annotations

import pytest

from tests.gateway.gateways import post


@pytest.mark.parametrize(
    "fields",
    [
        {"chunking_strategy": '{"type": "semantic_vad"}'},
        {"chunking_strategy": '{"threshold": 0.5}'},
        {"chunking_strategy": '{"type": "server_vad", "threshold": 5}'},
        {"chunking_strategy": '{"type": "server_vad", "silence": 5}'},
        {"chunking_strategy[type]": "never"},
    ],
)
def test_what_is_none_is_refused(gateway, talk, fields):
    answer = post(gateway, talk, **fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "chunking_strategy"


@pytest.mark.parametrize(
    "fields",
    [
        {"chunking_strategy": '{"type": "server_vad", "threshold": 0.5}'},
        {"chunking_strategy[type]": "server_vad", "chunking_strategy[silence_duration_ms]": "300"},
    ],
)
def test_it_may_come_in_any_form(gateway, talk, fields):
    assert post(gateway, talk, **fields).status_code == 200
