"""A header within a frame leaves the sound as it is, and so does a stray byte before one."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from asr_client.audio.containers import SampleStream
from asr_server.places import ROOT
from tests.odd_containers import wav, wav_form

SAMPLE = ROOT / "embedded_models" / "samples" / "zh_1.wav"
SPEECH = soundfile.read(SAMPLE, dtype="int32")[0][:32000] // 2
# Bytes of zero before a header may be its padding: silence is to have none.
SPEECH += np.random.default_rng(1).integers(0x01010101, 0x04040404, len(SPEECH), dtype=np.int32)
FORMS = {
    "16 bits": (wav_form(1, 16000, 1, 16), (SPEECH >> 16).astype("<i2").tobytes()),
    "stereo": (
        wav_form(1, 16000, 2, 16),
        np.stack([SPEECH >> 16, SPEECH >> 17], 1).astype("<i2").tobytes(),
    ),
    "24 bits": (wav_form(1, 16000, 1, 24), b"".join(x.tobytes()[1:] for x in SPEECH)),
    "32 bits": (wav_form(1, 16000, 1, 32), SPEECH.astype("<i4").tobytes()),
    "float": (wav_form(3, 16000, 1, 32), (SPEECH / 2**31).astype("<f4").tobytes()),
}


def read_all(data: bytes, block: int) -> bytes:
    """The samples in a stream that comes in blocks of so many bytes."""
    stream, found = SampleStream(), []
    for first in range(0, len(data), block):
        found += stream.feed(data[first : first + block])
    found += stream.finish()
    return b"".join(samples for _, samples in found)


def cut_anywhere(samples: bytes, seed: int) -> list[bytes]:
    """Pieces of 1 to 6000 bytes, mostly no whole number of frames."""
    rng, pieces, place = np.random.default_rng(seed), [], 0
    while place < len(samples):
        size = int(rng.choice([rng.integers(1, 40), rng.integers(500, 6000)]))
        pieces.append(samples[place : place + size])
        place += size
    return pieces


@pytest.mark.parametrize("stated", [None, 0, 0xFFFFFFFF], ids=["right", "zero", "all ones"])
@pytest.mark.parametrize("form", FORMS)
def test_a_header_may_stand_within_a_frame(form, stated):
    head, samples = FORMS[form]
    for seed, block in ((1, 1 << 18), (2, 997), (3, 4096)):
        pieces = cut_anywhere(samples, seed)
        data = b"".join(wav(head, piece, stated) for piece in pieces)
        assert read_all(data, block) == samples, (seed, block)


@pytest.mark.parametrize("stated", [None, 0, 0xFFFFFFFF], ids=["right", "zero", "all ones"])
def test_a_stray_byte_before_a_header_is_left_out(stated):
    head, samples = FORMS["16 bits"]
    pieces = [samples[first : first + 9600] for first in range(0, len(samples), 9600)]
    data = b"\x07".join(wav(head, piece, stated) for piece in pieces)
    assert read_all(data, 1 << 18) == samples


@pytest.mark.parametrize("seed", range(20))
def test_the_samples_do_not_depend_on_the_pieces(seed):
    rng = np.random.default_rng(seed)
    data = b""
    for _ in range(int(rng.integers(2, 12))):
        head, samples = list(FORMS.values())[rng.integers(len(FORMS))]
        first, size = int(rng.integers(30000)), int(rng.choice([3, 200, 3000, 20000]))
        part = samples[first : first + size + int(rng.integers(9))]
        if rng.random() < 0.3:
            part = bytes(len(part)) if rng.random() < 0.5 else rng.bytes(len(part))
        stated = [None, 0, 0xFFFFFFFF, len(part) // 2][rng.integers(4)]
        data += wav(head, part, stated) + rng.bytes(int(rng.choice([0, 0, 1])))
    whole = read_all(data, len(data))
    assert whole
    for block in (7, 61, 997, 8192):
        assert read_all(data, block) == whole, block


def test_what_was_begun_in_another_format_is_left_out():
    (head, samples), (other, wide) = FORMS["16 bits"], FORMS["24 bits"]
    data = wav(head, samples[:3201]) + wav(other, wide)
    assert read_all(data, 4096) == samples[:3200] + wide
