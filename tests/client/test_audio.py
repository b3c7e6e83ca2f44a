"""Audio in any form becomes 16 kHz mono float32."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_client import AudioError, Pcm, load_audio
from asr_client.audio.raw import PCM_FORMATS
from asr_client.audio.samples import scale_array
from asr_contract import SAMPLE_RATE

RATES = [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000]


def tone(rate: int, seconds: float = 0.5, channels: int = 1, level: float = 0.5) -> np.ndarray:
    """[samples, channels] float64, 440 Hz."""
    times = np.arange(int(rate * seconds)) / rate
    return np.repeat(level * np.sin(2 * np.pi * 440 * times)[:, None], channels, axis=1)


def encoded(frames: np.ndarray, rate: int, **how: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, frames, rate, **how)
    return buffer.getvalue()


def middle(waveform: np.ndarray) -> np.ndarray:
    """Without the ends, where resampling and lossy codecs ring."""
    return waveform[1600:-1600]


@given(rate=st.sampled_from(RATES), samples=st.integers(20, 5000))
@settings(deadline=None)
def test_length_after_resampling(rate, samples):
    waveform = load_audio(np.zeros(samples, np.float32), sample_rate=rate)
    assert waveform.dtype == np.float32
    assert waveform.ndim == 1
    assert abs(len(waveform) - samples * SAMPLE_RATE / rate) <= 1


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_keeps_its_pitch_and_level(rate):
    waveform = load_audio(tone(rate), sample_rate=rate)
    expected = middle(tone(SAMPLE_RATE)[:, 0])
    np.testing.assert_allclose(middle(waveform)[:4000], expected[:4000], atol=1e-3)


@given(st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=50))
def test_int16_is_scaled_by_its_full_scale_and_reversible(values):
    samples = np.array(values, np.int16)
    waveform = load_audio(samples, sample_rate=SAMPLE_RATE)
    assert np.abs(waveform).max() <= 1.0
    np.testing.assert_array_equal(np.rint(waveform * 2**15).astype(np.int32), values)


@pytest.mark.parametrize(
    ("dtype", "low", "half"),
    [
        (np.int8, -(2**7), 2**6),
        (np.int16, -(2**15), 2**14),
        (np.int32, -(2**31), 2**30),
        (np.uint8, 0, 192),
        (np.float32, -1.0, 0.5),
        (np.float64, -1.0, 0.5),
        (np.float16, -1.0, 0.5),
        (">i2", -(2**15), 2**14),
        (">f4", -1.0, 0.5),
    ],
)
def test_every_sample_type_reaches_the_same_scale(dtype, low, half):
    np.testing.assert_array_equal(scale_array(np.array([low, half], dtype)), [-1.0, 0.5])


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, np.bool_, np.complex64, object])
def test_sample_types_without_a_full_scale_are_refused(dtype):
    with pytest.raises(AudioError, match="expected samples as float, int8, int16"):
        load_audio(np.ones(4, dtype), sample_rate=SAMPLE_RATE)


@given(channels=st.integers(1, 8))
@settings(deadline=None)
def test_channels_are_averaged(channels):
    frames = tone(SAMPLE_RATE, 0.01, channels) * np.linspace(0, 2, channels)
    waveform = load_audio(frames, sample_rate=SAMPLE_RATE)
    np.testing.assert_allclose(waveform, frames.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize(
    ("how", "tolerance"),
    [
        ({"format": "WAV", "subtype": "PCM_16"}, 1e-3),
        ({"format": "WAV", "subtype": "PCM_U8"}, 2e-2),
        ({"format": "WAV", "subtype": "PCM_24"}, 1e-3),
        ({"format": "WAV", "subtype": "FLOAT"}, 1e-3),
        ({"format": "WAV", "subtype": "ULAW"}, 3e-2),
        ({"format": "FLAC"}, 1e-3),
        ({"format": "OGG", "subtype": "VORBIS"}, 8e-2),
        ({"format": "AIFF"}, 1e-3),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
)
def test_file_formats(tmp_path, how, tolerance, rate, channels):
    data = encoded(tone(rate, 0.6, channels), rate, **how)
    path = tmp_path / "audio"  # what it is must not hang on the name
    path.write_bytes(data)
    expected = middle(tone(SAMPLE_RATE, 0.6)[:, 0])
    for audio in (data, bytearray(data), memoryview(data), path, str(path), io.BytesIO(data)):
        waveform = load_audio(audio)
        assert abs(len(waveform) - 9600) <= 1
        np.testing.assert_allclose(middle(waveform)[:6000], expected[:6000], atol=tolerance)


@pytest.mark.parametrize("sample_format", PCM_FORMATS)
def test_raw_samples(tmp_path, sample_format):
    frames = tone(8000, 0.3, 2)
    names = {"8": "int8", "16": "int16", "24": "int32", "32": "int32"}
    if sample_format in ("mulaw", "alaw"):
        subtype = {"mulaw": "ULAW", "alaw": "ALAW"}[sample_format]
        data = encoded(frames, 8000, format="RAW", subtype=subtype)
    elif sample_format.startswith("f"):
        kind = {"f32": "f4", "f64": "f8"}[sample_format[:3]]
        data = frames.astype((">" if sample_format.endswith("be") else "<") + kind).tobytes()
    else:
        bits = sample_format.strip("usleb")
        integers = np.rint(frames * (2 ** (int(bits) - 1) - 1)).astype(np.int64)
        if sample_format == "u8":
            integers += 128
        little = integers.astype("<i8").tobytes()
        width = int(bits) // 8
        words = [little[i : i + width] for i in range(0, len(little), 8)]
        data = b"".join(word[::-1] if sample_format.endswith("be") else word for word in words)
        assert bits in names
    expected = middle(tone(SAMPLE_RATE, 0.3)[:, 0])
    path = tmp_path / "audio.raw"
    path.write_bytes(data)
    for source in (data, path):
        waveform = load_audio(Pcm(source, 8000, sample_format, channels=2))
        assert len(waveform) == 4800
        np.testing.assert_allclose(middle(waveform), expected, atol=3e-2)


def test_telephone_audio_equals_the_same_file():
    frames = tone(8000)
    raw = Pcm(np.rint(frames * 32767).astype("<i2").tobytes(), 8000)
    wav = encoded(frames, 8000, format="WAV", subtype="PCM_16")
    np.testing.assert_allclose(load_audio(raw), load_audio(wav), atol=1e-4)


def test_an_array_without_a_rate_is_refused():
    with pytest.raises(AudioError, match="needs sample_rate"):
        load_audio(np.zeros(10, np.float32))


@pytest.mark.parametrize("rate", [0, -16000, 16, 16000.5, float("nan"), 10**9, True, "x"])
def test_odd_rates_are_refused(rate):
    with pytest.raises(AudioError, match="sample_rate: expected 1000 to 768000 Hz; got"):
        load_audio(np.zeros(10, np.float32), sample_rate=rate)


def test_a_rate_that_contradicts_the_file_is_refused():
    data = encoded(tone(8000), 8000, format="WAV")
    assert len(load_audio(data, sample_rate=8000)) == 8000
    with pytest.raises(AudioError, match="says 8000 Hz; got sample_rate=16000"):
        load_audio(data, sample_rate=16000)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_and_infinity_are_refused(bad, dtype):
    samples = np.zeros(100, dtype)
    samples[50] = bad
    with pytest.raises(AudioError, match="got 1 NaN or infinite of 100"):
        load_audio(samples, sample_rate=SAMPLE_RATE)
    with pytest.raises(AudioError, match="NaN or infinite"):
        load_audio(encoded(samples, 16000, format="WAV", subtype="FLOAT"))


def test_a_number_beyond_float32_is_refused_too():
    with pytest.raises(AudioError, match="NaN or infinite"):
        load_audio(np.array([1e300]), sample_rate=SAMPLE_RATE)


def test_integers_cast_to_float_without_scaling_are_noticed():
    with pytest.raises(AudioError, match="got a peak of 12000"):
        load_audio(np.array([0.0, 12000.0]), sample_rate=SAMPLE_RATE)


@pytest.mark.parametrize(
    "empty",
    [np.zeros(0, np.float32), np.zeros((0, 2), np.int16), Pcm(b"", 16000)],
    ids=["array", "stereo", "pcm"],
)
def test_empty_audio_is_refused(empty):
    rate = None if isinstance(empty, Pcm) else 16000
    with pytest.raises(AudioError, match="empty"):
        load_audio(empty, sample_rate=rate)


def test_an_empty_recording_in_a_file_is_refused():
    with pytest.raises(AudioError, match="empty"):
        load_audio(encoded(np.zeros((0, 1)), 16000, format="WAV"))


def test_one_sample_passes():
    assert load_audio(np.array([0.5], np.float32), sample_rate=16000).tolist() == [0.5]
    assert len(load_audio(encoded(np.full((1, 2), 0.5), 16000, format="WAV"))) == 1


@pytest.mark.parametrize("shape", [(), (2, 3, 4), (1, 16000)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(AudioError, match="expected shape"):
        load_audio(np.zeros(shape, np.float32), sample_rate=16000)


@pytest.mark.parametrize("garbage", [b"", b"RIFF", b"not audio at all" * 100])
def test_bytes_that_are_no_audio_are_refused(garbage):
    message = "expected audio or video" if garbage else "the file is empty"
    with pytest.raises(AudioError, match=message):
        load_audio(garbage)
    with pytest.raises(AudioError, match=message):
        load_audio(io.BytesIO(garbage))


def test_paths_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(AudioError, match=r"missing\.wav: No such file"):
        load_audio(tmp_path / "missing.wav")
    with pytest.raises(AudioError, match="Is a directory"):
        load_audio(tmp_path)
    with pytest.raises(AudioError, match=r"missing\.raw: No such file"):
        load_audio(Pcm(tmp_path / "missing.raw", 8000))


@pytest.mark.parametrize("thing", [None, 3, [0.0, 0.1], {"a": 1}, io.StringIO("text")])
def test_other_things_are_refused(thing):
    with pytest.raises(AudioError, match="expected"):
        load_audio(thing)


@pytest.mark.parametrize(
    ("pcm", "message"),
    [
        (Pcm(b"123", 8000), "whole frames of 2 bytes"),
        (Pcm(b"1234", 8000, channels=3), "whole frames of 6 bytes"),
        (Pcm(b"12", 8000, "s17le"), "sample_format: expected one of"),
        (Pcm(b"12", 8000, channels=0), "channels: expected"),
        (Pcm(b"12", 8), "sample_rate: expected"),
    ],
)
def test_raw_samples_that_make_no_sense(pcm, message):
    with pytest.raises(AudioError, match=message):
        load_audio(pcm)
