"""Which hotwords the models are asked for, with a client that stands in for Triton's."""

from __future__ import annotations

import asyncio
import json

import pytest

from asr_client import RequestRejected, Transcript
from asr_contract import Hotword, parse_hotwords
from asr_gateway.shared.hotwords import HotwordCheck


class Models:
    """Takes hotwords, but for those with `lacking`; leaves those of `unspelt` out."""

    def __init__(self, lacking: str = "", unspelt: str = "") -> None:
        self._lacking = lacking
        self._unspelt = unspelt
        self.asked: list[str] = []

    async def transcribe(self, waveform, *, model, hotwords, sample_rate):
        self.asked.append(hotwords)
        if self._lacking and self._lacking in hotwords:
            raise RequestRejected("refused", server_message=f"no {self._lacking!r}")
        unspelt = [f"left out: {word}" for word in self._unspelt if word in hotwords]
        return Transcript("", model, 0.1, [], warnings=unspelt)


def usable(check: HotwordCheck, *asked: str) -> tuple[str, str | None]:
    return asyncio.run(check.usable("paraformer", *asked))


def test_the_gateways_words_join_the_clients_with_their_weights():
    words, warning = usable(HotwordCheck(Models(), "阿里巴巴 20\n腾讯"), "达摩院 -5;腾讯 30")
    assert warning is None
    assert parse_hotwords(words) == [
        Hotword("阿里巴巴", 20),
        Hotword("腾讯", 30),
        Hotword("达摩院", -5),
    ]


@pytest.mark.parametrize("own", ["", "阿里巴巴"])
def test_a_prompt_that_is_no_list_costs_nothing_but_itself(own):
    models = Models()
    words, warning = usable(HotwordCheck(models, own), "[music] and more")
    assert (json.loads(words) if words else "") == ([own] if own else "")
    assert warning is not None and "the hotwords are not used: hotwords: expected" in warning
    assert len(models.asked) == bool(own)


@pytest.mark.parametrize("unspelt", ["", "龘"])
def test_keywords_beside_a_prompt_that_is_no_list_are_used_and_the_prompt_is_told(unspelt):
    check = HotwordCheck(Models(unspelt=unspelt), "")
    words, warning = usable(check, "[music] and more", '["阿里巴巴", "龘"]')
    assert json.loads(words) == ["阿里巴巴", "龘"]
    assert warning is not None
    told, *others = warning.split("; left out: ")
    assert told.startswith("some hotwords are not used: hotwords: expected")
    assert others == ([unspelt] if unspelt else [])


def test_a_prompt_and_keywords_are_used_together():
    words, warning = usable(HotwordCheck(Models(), ""), "阿里巴巴 20", '["达摩院"]')
    assert parse_hotwords(words) == [Hotword("阿里巴巴", 20), Hotword("达摩院")]
    assert warning is None


@pytest.mark.parametrize(
    "prompt", ["[" * 400_000, '{"a":' * 200_000, "[" * 900 + "]" * 900, "a " * 2_000_000]
)
def test_a_prompt_of_brackets_within_brackets_or_without_end_is_a_warning_of_a_sentence(prompt):
    words, warning = usable(HotwordCheck(Models(), ""), prompt)
    assert words == ""
    assert warning is not None and len(warning) < 500


def test_what_the_model_refuses_is_told_and_asked_for_once():
    models = Models(lacking="龘")
    check = HotwordCheck(models, "")
    assert usable(check, "龘") == usable(check, "龘") == ("", "the hotwords are not used: no '龘'")
    assert usable(check, "阿里巴巴") == ('["阿里巴巴"]', None)
    assert len(models.asked) == 2


def test_the_others_are_used_where_one_is_left_out():
    check = HotwordCheck(Models(unspelt="龘鱻"), "")
    words, warning = usable(check, "阿里巴巴 龘 鱻")
    assert json.loads(words) == ["阿里巴巴", "龘", "鱻"]
    assert warning == "left out: 龘; left out: 鱻"
    assert usable(check, "阿里巴巴 龘 鱻") == (words, warning)


def test_without_words_nobody_is_asked():
    models = Models()
    assert usable(HotwordCheck(models, " "), "") == ("", None)
    assert not models.asked


def test_a_warning_has_an_end():
    unspelt = "".join(map(chr, range(0x4E00, 0x4E00 + 1000)))
    words, warning = usable(HotwordCheck(Models(unspelt=unspelt), ""), " ".join(unspelt))
    assert len(parse_hotwords(words)) == 1000
    assert warning is not None and len(warning) < 2100 and warning.endswith("…")
