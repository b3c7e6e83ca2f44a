"""What the server answers equals what `funasr_onnx` says on the same ONNX files."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from tests.funasr_reference import ParaformerReference, SenseVoiceReference
from tests.recordings import cut, heldout
from tests.serving import EMBEDDED, RANDOM_MODELS, RawClient, serve_models

# Each set is one server with a model of both kinds.
MODEL_SETS = {
    "embedded": EMBEDDED,
    "random-tiny": {
        "paraformer": RANDOM_MODELS / "paraformer-tiny-seed0",
        "sensevoice": RANDOM_MODELS / "sensevoice-tiny-seed0",
    },
    "random-small": {
        "paraformer": RANDOM_MODELS / "paraformer-small-seed1",
        "sensevoice": RANDOM_MODELS / "sensevoice-small-seed1",
    },
    "random-tiny-timestamps": {"paraformer": RANDOM_MODELS / "bicif_paraformer-tiny-seed0"},
    "random-small-timestamps": {"paraformer": RANDOM_MODELS / "bicif_paraformer-small-seed1"},
}
# FunASR computes times in seconds and cuts the fraction of a millisecond off.
ROUNDING_MS = 1


def sixteen_bit(samples: np.ndarray) -> np.ndarray:
    """What a 16-bit file keeps of the samples."""
    return (np.round(samples * 32767).astype(np.int16) / np.float32(32768)).astype(np.float32)


def parity_recordings() -> list[np.ndarray]:
    """Many lengths, 16-bit and float, quiet and loud."""
    recordings = [cut(seconds, 3 * seconds) for seconds in np.geomspace(0.3, 25, 16)]
    recordings += [sixteen_bit(cut(seconds, seconds)) for seconds in (1.0, 2.345, 7.9)]
    recordings += [cut(3.0, 40, gain) for gain in (0.003, 0.05, 8.0)]
    return recordings + [samples for _, _, samples in heldout()[:6]]


@pytest.fixture(scope="module", params=MODEL_SETS)
def served(request, tmp_path_factory):
    sources = MODEL_SETS[request.param]
    if sources is EMBEDDED:
        yield sources, request.getfixturevalue("triton_server").client
        return
    # Random weights tie often, and the default front end differs in the fourth decimal: theirs is
    # the reference's own. The embedded models' is the default.
    parameters = {"fbank": "kaldi-native-fbank"}
    with serve_models(tmp_path_factory.mktemp(request.param), sources, parameters) as server:
        yield sources, RawClient(server)


def test_paraformer_text_and_times(served):
    sources, client = served
    reference = ParaformerReference(sources["paraformer"])
    compared = 0
    for samples in parity_recordings():
        (answer,) = client.recognise("paraformer", [samples])
        text, times = reference.text_and_times(samples)
        assert answer.transcript == text
        if times is not None:
            np.testing.assert_allclose(answer.timestamps, times, atol=ROUNDING_MS)
            compared += 1
    assert compared > 3 or sources is not EMBEDDED


@lru_cache(maxsize=1)  # the tests of one model come together
def sensevoice_reference(source: Path) -> SenseVoiceReference:
    return SenseVoiceReference(source)


@pytest.mark.parametrize("text_norm", ["withitn", "woitn"])
@pytest.mark.parametrize("language", ["auto", "zh", "en", "yue", "ja", "ko", "nospeech"])
def test_sensevoice_text(served, language, text_norm):
    sources, client = served
    if "sensevoice" not in sources:
        return
    reference = sensevoice_reference(sources["sensevoice"])
    recordings = parity_recordings()
    if language not in ("auto", "zh"):
        recordings = recordings[::4]
    for samples in recordings:
        (answer,) = client.recognise(
            "sensevoice", [samples], language=language, text_norm=text_norm
        )
        assert answer.transcript == reference.text(samples, language, text_norm)


def test_sensevoice_clean_text_is_the_transcript_without_tags(triton_server):
    for samples in parity_recordings():
        (answer,) = triton_server.client.recognise("sensevoice", [samples])
        assert answer.text == re.sub(r"<\|.*?\|>", "", answer.transcript).strip()
        assert "".join(answer.tokens) == answer.text.replace(" ", "")
