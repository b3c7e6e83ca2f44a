"""Words that are heard anew: none is lost behind what was told, none told twice."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from asr_gateway.live.retelling import told_length


@pytest.mark.parametrize(
    ("told", "heard", "new"),
    [
        ("", "第四", "第四"),
        ("第四十二", "第四十二百", "百"),
        ("第四十二", "第四", ""),
        ("第四十二九百二十元三", "第四十二九百二十三角", "角"),  # one is missing now
        ("第四十二九百二十元三", "第四十二十九百二十元三角", "角"),  # one is there beside
        ("第四十二九百二十元三", "第四时二九百二十元三角", "角"),  # one is another
        ("你好", "您", ""),
        ("turn on the ra", "turn on a radio", "dio"),
        ("三三", "三三三", "三"),
    ],
)
def test_what_is_new(told, heard, new):
    assert heard[told_length(told, heard) :] == new


@given(st.text("一二三四五", min_size=4, max_size=12), st.text("六七八九", max_size=4), st.data())
def test_a_change_within_takes_nothing_from_behind(told, new, data):
    place = data.draw(st.integers(0, len(told) - 2))
    change = data.draw(st.sampled_from(["", "零", told[place] + "零"]))
    heard = told[:place] + change + told[place + 1 :]
    assume(heard[-1] == told[-1])
    assert (heard + new)[told_length(told, heard + new) :] == new
