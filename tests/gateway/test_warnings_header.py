"""Warnings in a header of an answer: as long as clients and proxies take."""

from __future__ import annotations

import json

import pytest

from asr_gateway.openai.answer import warnings_header

MOST_BYTES = 4096  # of a header line, for nginx as it comes


def test_without_warnings_there_is_no_header():
    assert warnings_header([]) == {}


def test_few_are_told_whole():
    assert json.loads(warnings_header(["cut off", "坏了"])["X-Warnings"]) == ["cut off", "坏了"]


@pytest.mark.parametrize("letter", ["a", "字", '"', "\n"])
@pytest.mark.parametrize(("count", "length"), [(1, 100_000), (5000, 60), (300, 1000)])
def test_many_or_long_ones_are_shortened(letter, count, length):
    header = warnings_header([letter * length] * count)["X-Warnings"]
    told = json.loads(header)
    assert len(header) < MOST_BYTES and header.isascii() and header.isprintable()
    assert told[0].startswith(letter * min(length, 100))
    if count > 1:
        assert told[-1] == f"and {count - len(told) + 1} more"
