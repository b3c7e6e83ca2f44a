"""Fbank, LFR and CMVN against independent implementations."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from funasr_onnx.utils.frontend import WavFrontend
from hypothesis import given
from hypothesis import strategies as st

from asr_contract import SAMPLE_RATE
from asr_core.features import (
    FRAME_LENGTH_SAMPLES,
    FRAME_SHIFT_SAMPLES,
    Cmvn,
    Frontend,
    KaldiNativeFbank,
    load_cmvn,
    load_frontend,
    make_fbank,
    make_streaming_fbank,
    num_lfr_frames,
    pad_features,
)
from asr_core.features.kaldifeat_fbank import KaldifeatFbank
from asr_core.features.lfr import stack_frames

RNG = np.random.default_rng(7)
FBANKS = ["asrfront", "kaldi-native-fbank"]
FEATURE_DIM = 560


def speech_like(num_samples: int, seed: int = 0) -> np.ndarray:
    """A few gliding harmonics with pauses and a little noise, float32 in [-1, 1]."""
    rng = np.random.default_rng(seed)
    time = np.arange(num_samples) / SAMPLE_RATE
    pitch = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * 0.7 * time)) / SAMPLE_RATE
    voice = sum(np.sin(pitch * k) / k for k in range(1, 20))
    envelope = np.clip(np.sin(2 * np.pi * 2.5 * time), 0, None)
    return (0.1 * voice * envelope + 0.003 * rng.standard_normal(num_samples)).astype(np.float32)


def fbank_by_definition(waveform: np.ndarray, num_mel_bins: int) -> np.ndarray:
    """Kaldi's fbank written out from its definition, float64."""
    samples = waveform.astype(np.float64) * 32768
    count = 1 + (len(samples) - FRAME_LENGTH_SAMPLES) // FRAME_SHIFT_SAMPLES
    starts = np.arange(count)[:, None] * FRAME_SHIFT_SAMPLES
    frames = samples[starts + np.arange(FRAME_LENGTH_SAMPLES)]
    frames = frames - frames.mean(axis=1, keepdims=True)
    previous = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    frames = (frames - 0.97 * previous) * np.hamming(FRAME_LENGTH_SAMPLES)
    power = np.abs(np.fft.rfft(frames, 512)) ** 2

    def mel(hertz):
        return 1127 * np.log(1 + hertz / 700)

    edges = np.linspace(mel(20), mel(SAMPLE_RATE / 2), num_mel_bins + 2)
    bins = mel(np.arange(257) * SAMPLE_RATE / 512)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    weights = np.clip(np.minimum(rising, falling), 0, None)
    weights[:, 256] = 0  # Kaldi leaves the Nyquist bin out
    return np.log(np.maximum(power @ weights.T, np.finfo(np.float32).eps))


def write_am_mvn(path, shift, scale):
    def vector(values):
        return "<LearnRateCoef> 0 [ " + " ".join(f"{value:.7g}" for value in values) + " ]"

    size = len(shift)
    path.write_text(
        f"<Nnet> \n<Splice> {size} {size}\n[ 0 ]\n<AddShift> {size} {size} \n{vector(shift)}\n"
        f"<Rescale> {size} {size} \n{vector(scale)}\n</Nnet> \n"
    )


@pytest.fixture
def model_dir(tmp_path):
    write_am_mvn(
        tmp_path / "am.mvn", RNG.uniform(-15, -8, FEATURE_DIM), RNG.uniform(0.1, 0.3, FEATURE_DIM)
    )
    (tmp_path / "config.yaml").write_text(
        "frontend_conf: {fs: 16000, window: hamming, n_mels: 80, frame_length: 25,"
        " frame_shift: 10, lfr_m: 7, lfr_n: 6, cmvn_file: null}\n"
    )
    return tmp_path


@pytest.mark.parametrize("fbank", FBANKS)
@pytest.mark.parametrize("gain", [1.0, 0.01])
def test_fbank_follows_kaldis_definition(fbank, gain):
    waveform = speech_like(3 * SAMPLE_RATE) * np.float32(gain)
    np.testing.assert_allclose(
        make_fbank(fbank)(waveform), fbank_by_definition(waveform, 80), atol=2e-3
    )


@pytest.mark.parametrize("fbank", FBANKS)
@given(st.integers(0, 4000))
def test_fbank_frame_count(fbank, num_samples):
    frames = make_fbank(fbank)(np.zeros(num_samples, np.float32))
    expected = 1 + (num_samples - 400) // 160 if num_samples >= 400 else 0
    assert frames.shape == (expected, 80)


@pytest.mark.parametrize("fbank", FBANKS)
def test_fbank_is_the_same_every_time(fbank):
    waveform = speech_like(16_000)
    compute = make_fbank(fbank)
    np.testing.assert_array_equal(compute(waveform), compute(waveform))


@pytest.mark.parametrize("fbank", FBANKS)
@given(st.lists(st.integers(0, 16_000), max_size=20))
def test_fbank_of_a_stream_does_not_depend_on_the_cuts(fbank, cuts):
    waveform = speech_like(16_000)
    stream = make_streaming_fbank(fbank).stream()
    frames = [stream(piece) for piece in np.split(waveform, sorted(cuts))]
    np.testing.assert_array_equal(np.concatenate(frames), make_fbank(fbank)(waveform))


@pytest.mark.parametrize("seconds", [0.025, 0.3, 3.0, 30.0])
@pytest.mark.parametrize("gain", [5.0, 1.0, 0.001, 0.0])
def test_implementations_agree(seconds, gain):
    """Two that share no code: log-mel energies within a thousandth, whatever the level."""
    waveform = speech_like(int(seconds * SAMPLE_RATE), seed=3) * np.float32(gain)
    fast, reference = (make_fbank(name)(waveform) for name in FBANKS)
    np.testing.assert_allclose(fast, reference, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "device", "words"),
    [
        ("torchaudio", "cpu", "asrfront or kaldi-native-fbank or kaldifeat, got 'torchaudio'"),
        ("kaldifeat", "cpu", "asrfront or kaldi-native-fbank on a CPU, got 'kaldifeat'"),
    ],
)
def test_an_unknown_implementation_is_named(name, device, words):
    with pytest.raises(ValueError, match=words):
        make_fbank(name, device=device)
    with pytest.raises(ValueError, match="asrfront or kaldi-native-fbank, got"):
        make_streaming_fbank(name)


@pytest.mark.parametrize("fbank", FBANKS)
@pytest.mark.parametrize("seconds", [0.025, 0.1, 0.9, 3.21, 12.0])
@pytest.mark.parametrize("gain", [1.0, 0.001])
def test_features_agree_with_funasr(model_dir, fbank, seconds, gain):
    waveform = speech_like(int(seconds * SAMPLE_RATE)) * np.float32(gain)
    reference = WavFrontend(str(model_dir / "am.mvn"), lfr_m=7, lfr_n=6, dither=0.0)
    expected, _ = reference.lfr_cmvn(reference.fbank(waveform)[0])
    features = load_frontend(model_dir, fbank)(waveform)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected, atol=1e-4)


@pytest.mark.parametrize("num_samples", [400, 401, 1000, 5000, 16000, 79999, 200_000])
def test_features_in_one_pass_are_those_of_its_steps(model_dir, num_samples):
    """asrfront's own stacking and normalisation, to the bit ours; also on two threads at a time."""
    frontend, waveform = load_frontend(model_dir), speech_like(num_samples)
    steps = load_cmvn(model_dir / "am.mvn")(stack_frames(make_fbank("asrfront")(waveform)))
    with ThreadPoolExecutor(2) as pool:
        for features in pool.map(frontend, [waveform] * 4):
            np.testing.assert_array_equal(features, steps)


def test_too_short_for_a_frame_gives_no_features(model_dir):
    assert load_frontend(model_dir)(np.zeros(399, np.float32)).shape == (0, FEATURE_DIM)


@given(st.integers(0, 60), st.sampled_from([(7, 6), (5, 1), (1, 1)]))
def test_stack_frames_repeats_the_edges(num_frames, window_shift):
    window, shift = window_shift
    fbank = np.arange(num_frames * 3, dtype=np.float32).reshape(num_frames, 3)
    stacked = stack_frames(fbank, window, shift)
    assert len(stacked) == num_lfr_frames(num_frames, shift)
    for row, stack in enumerate(stacked.reshape(-1, window, 3)):
        for place, frame in enumerate(stack):
            wanted = row * shift + place - (window - 1) // 2
            np.testing.assert_array_equal(frame, fbank[min(max(wanted, 0), num_frames - 1)])


def test_cmvn_normalises_what_it_was_estimated_on(tmp_path):
    features = RNG.normal(-9, 3, (5000, 4)).astype(np.float32)
    write_am_mvn(tmp_path / "am.mvn", -features.mean(0), 1 / features.std(0))
    normalised = load_cmvn(tmp_path / "am.mvn")(features)
    np.testing.assert_allclose(normalised.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(normalised.std(0), 1, atol=1e-4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<Nnet> </Nnet>", "expected <AddShift> and <Rescale>, got []"),
        ("<AddShift> 2 2 <LearnRateCoef> 0 [ 1 2 ] <Rescale> 1 1 [ 1 ]", "equal numbers"),
    ],
)
def test_broken_am_mvn_is_named(tmp_path, text, words):
    (tmp_path / "am.mvn").write_text(text)
    with pytest.raises(ValueError) as error:
        load_cmvn(tmp_path / "am.mvn")
    assert words in str(error.value)
    assert "am.mvn" in str(error.value)


def test_cmvn_of_another_dimension_is_refused():
    cmvn = Cmvn(np.zeros(400, np.float32), np.ones(400, np.float32))
    with pytest.raises(ValueError, match=r"expected 560 dimensions .* got 400"):
        Frontend(cmvn)


@pytest.mark.parametrize(
    "setting", ["fs: 8000", "window: povey", "frame_shift: 20", "frame_length: 32"]
)
def test_front_end_settings_it_does_not_compute_are_refused(model_dir, setting):
    (model_dir / "config.yaml").write_text(f"frontend_conf: {{{setting}}}\n")
    with pytest.raises(ValueError, match=f"{setting.split(':')[0]}: expected"):
        load_frontend(model_dir)


def test_pad_features_puts_zeros_behind():
    rows = [np.ones((2, 3), np.float32), np.ones((0, 3), np.float32)]
    padded = pad_features(rows, 4)
    assert padded.shape == (2, 4, 3)
    assert padded.sum(axis=(1, 2)).tolist() == [6, 0]


def test_kaldifeat_is_asked_for_what_kaldi_native_fbank_computes(monkeypatch):
    """kaldifeat builds from source against CUDA only; a stand-in records its options."""
    import sys
    from types import ModuleType, SimpleNamespace

    def options():
        return SimpleNamespace(frame_opts=SimpleNamespace(), mel_opts=SimpleNamespace())

    kaldifeat, torch = ModuleType("kaldifeat"), ModuleType("torch")
    kaldifeat.FbankOptions = options
    kaldifeat.Fbank = lambda given: given
    torch.device = str
    monkeypatch.setitem(sys.modules, "kaldifeat", kaldifeat)
    monkeypatch.setitem(sys.modules, "torch", torch)
    asked, reference = KaldifeatFbank(80, "cuda:0")._fbank, KaldiNativeFbank(80)._options
    for name, value in vars(asked.frame_opts).items():
        assert getattr(reference.frame_opts, name) == pytest.approx(value), name
    assert asked.mel_opts.num_bins == reference.mel_opts.num_bins
    assert asked.energy_floor == reference.energy_floor == 0
    assert asked.device == "cuda:0"
