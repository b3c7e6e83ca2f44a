"""Which hotwords the models are asked for, with a client that stands in for Triton's."""

from __future__ import annotations

import asyncio
import json

import pytest

from asr_client import RequestRejected
from asr_contract import Hotword, parse_hotwords
from asr_gateway.shared.hotwords import HotwordCheck


class Models:
    """Takes hotwords, but for those with a word that its vocabulary lacks."""

    def __init__(self, lacking: str = "") -> None:
        self._lacking = lacking
        self.asked: list[str] = []

    async def transcribe(self, waveform, *, model, hotwords, sample_rate):
        self.asked.append(hotwords)
        if self._lacking and self._lacking in hotwords:
            raise RequestRejected("refused", server_message=f"no {self._lacking!r}")


def usable(check: HotwordCheck, asked: str) -> tuple[str, str | None]:
    return asyncio.run(check.usable("paraformer", asked))


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


def test_what_the_model_refuses_is_told_and_asked_for_once():
    models = Models(lacking="龘")
    check = HotwordCheck(models, "")
    assert usable(check, "龘") == usable(check, "龘") == ("", "the hotwords are not used: no '龘'")
    assert usable(check, "阿里巴巴") == ('["阿里巴巴"]', None)
    assert len(models.asked) == 2


def test_without_words_nobody_is_asked():
    models = Models()
    assert usable(HotwordCheck(models, " "), "") == ("", None)
    assert not models.asked
