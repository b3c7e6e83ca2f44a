"""Counting how far two recognisers agree."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from asr_server.errors import InstallError
from asr_server.install.agreement import (
    REQUIRED_SHARE,
    Agreement,
    check,
    count_agreement,
    fit_pieces,
    required_tokens,
)
from asr_server.recordings import read_recordings


@pytest.mark.parametrize(
    ("expected", "text", "tokens", "equal"),
    [
        ("今天天气", "今天天气", 4, 4),
        ("今天天气", "今天气", 4, 3),
        ("hello world", "hello word", 2, 1),
        ("<|zh|><|NEUTRAL|>你好。", "<|en|><|NEUTRAL|>你好。", 5, 4),
        ("커피80 원", "커피80원", 4, 4),
        ("今天", "", 2, 0),
        ("今天", "今天天气很好", 2, 2),
    ],
)
def test_equal_tokens(expected, text, tokens, equal):
    agreement = count_agreement([expected], [text])
    assert (agreement.tokens, agreement.equal_tokens) == (tokens, equal)
    assert agreement.equal_texts == (expected == text)


def test_the_sum_of_all_recordings_is_given():
    agreement = count_agreement(["一二三", "四五"], ["一二三", "四六"])
    assert agreement == Agreement(recordings=2, equal_texts=1, tokens=5, equal_tokens=4)
    assert str(agreement) == "4 of 5 tokens (80.00%), 1 of 2 texts equal"


def test_silence_proves_nothing():
    with pytest.raises(InstallError, match="recognises nothing in the sample recordings"):
        count_agreement(["", ""], ["", ""])


def test_fp32_must_agree_to_the_letter_and_int8_nearly():
    check(Agreement(1, 1, 100, 100), "fp32")
    check(Agreement(1, 0, 100, 96), "int8")
    for agreement, precision in (
        (Agreement(1, 0, 100, 99), "fp32"),
        (Agreement(1, 0, 100, 100), "fp32"),  # more tokens than the reference
        (Agreement(1, 0, 100, 30), "int8"),
        (Agreement(1, 0, 14, 1), "int8"),
        (Agreement(1, 0, 100, 60), "fp16"),
    ):
        with pytest.raises(InstallError, match="does not say what funasr_onnx says"):
            check(agreement, precision)


def test_of_few_tokens_fewer_must_be_equal():
    """46 of 48 and 96 of 98 are what sound models of random weights reach in float16."""
    check(Agreement(7, 5, 48, 46), "fp16")
    check(Agreement(7, 5, 98, 96), "fp16")
    shares = [required_tokens(tokens, "int8") / tokens for tokens in (5, 20, 100, 1000)]
    assert shares == sorted(shares)
    assert shares[-1] < REQUIRED_SHARE["int8"]
    assert required_tokens(10, "fp32") == 10


@pytest.mark.parametrize(
    ("length", "kept"), [(9600, 9600), (9601, 9600), (10559, 9600), (960, 960)]
)
def test_ends_that_the_streaming_reference_drops_are_cut(length, kept):
    assert len(fit_pieces(np.zeros(length, np.float32))) == kept


def test_recordings_are_16_khz_mono(tmp_path):
    soundfile.write(tmp_path / "right.wav", np.zeros(160), 16000)
    soundfile.write(tmp_path / "rate.wav", np.zeros(160), 8000)
    soundfile.write(tmp_path / "stereo.wav", np.zeros((160, 2)), 16000)
    assert len(read_recordings([tmp_path / "right.wav"])[0]) == 160
    for name, found in (("rate.wav", "8000 Hz, 1 ch"), ("stereo.wav", "16000 Hz, 2 channels")):
        with pytest.raises(InstallError, match=f"{name}: expected 16000 Hz.*got {found}"):
            read_recordings([tmp_path / name])
    with pytest.raises(InstallError, match=r"missing\.wav"):
        read_recordings([tmp_path / "missing.wav"])
