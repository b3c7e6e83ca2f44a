"""Chunk sizes: one reading of three numbers, and those that are served."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_contract import (
    CHUNK_SIZES,
    DEFAULT_CHUNK_SIZE,
    ChunkSize,
    chunk_size_of,
    nearest_served_chunk_size,
    parse_chunk_size,
    parse_served_chunk_size,
)

ROWS = st.integers(0, 1_000)


@given(st.builds(ChunkSize, ROWS, st.integers(1, 1_000), ROWS))
def test_what_is_written_is_read(size: ChunkSize) -> None:
    assert parse_chunk_size(str(size)) == chunk_size_of(size) == size
    assert size.window == size.overlap + size.current


@pytest.mark.parametrize("text", ["5,10,5", "[5,10,5]", " [5, 10, 5] ", "5 , 10 , 5"])
def test_forms(text: str) -> None:
    assert parse_served_chunk_size(text) == parse_chunk_size(text) == DEFAULT_CHUNK_SIZE


@pytest.mark.parametrize("text", ["", "5,10", "5,10,5,1", "a,b,c", "5,10.0,5", "5,0,5", "-1,10,5"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected three whole numbers.*got '"):
        parse_chunk_size(text)
    with pytest.raises(ValueError, match='expected "5,10,5" or "0,10,5" or "0,8,4", got'):
        parse_served_chunk_size(text)


@pytest.mark.parametrize(
    "numbers", [(5, 10), (5, 10, 5, 1), (5, 10.0, 5), (True,) * 3, "555", 5, (5, 1_001, 5)]
)
def test_other_numbers_are_refused(numbers) -> None:
    with pytest.raises(ValueError, match="expected three whole numbers"):
        chunk_size_of(numbers)


def test_not_every_chunk_size_is_served() -> None:
    assert all(parse_served_chunk_size(str(size)) == size for size in CHUNK_SIZES)
    with pytest.raises(ValueError, match="got '5,11,5'"):
        parse_served_chunk_size("5,11,5")


def test_any_chunk_size_has_a_nearest_that_is_served() -> None:
    for size in CHUNK_SIZES:
        assert nearest_served_chunk_size(size) == size
    for asked, nearest in (
        ((5, 8, 4), (5, 10, 5)),
        ((8, 8, 4), (5, 10, 5)),
        ((5, 20, 5), (5, 10, 5)),
        ((0, 9, 4), (0, 8, 4)),
        ((1, 2, 3), (0, 8, 4)),
    ):
        assert nearest_served_chunk_size(ChunkSize(*asked)) == nearest
