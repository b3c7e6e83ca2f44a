"""The benchmark runs and writes figures; what they are on a test machine decides nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from asr_server.places import EMBEDDED_MODELS
from asr_server.run import find_installation
from lab.benchmark.__main__ import main
from lab.benchmark.workload import make_recordings, total_seconds
from tests.serving import RANDOM_MODELS

TINY = str(RANDOM_MODELS / "paraformer-tiny-seed0")
SAMPLES = sorted((EMBEDDED_MODELS / "samples").glob("*.wav"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder that keeps what is prepared of the tiny model."""
    return str(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """The same of the embedded models."""
    return str(tmp_path_factory.mktemp("embedded_models"))


def test_offline_writes_ratios_and_where_the_time_goes(tiny, tmp_path, capsys):
    status = main(
        [
            *("offline", "--paraformer", TINY),
            *("--recordings", "6", "--rounds", "2", "--concurrency", "1", "3"),
            *("--peers", "funasr_onnx"),
            *("--output", str(tmp_path), "--work", tiny),
        ]
    )
    assert status == 0
    result = json.loads((tmp_path / "offline.json").read_text())["results"]["paraformer"]
    assert set(result["rounds"]) == {"bare", "bare, alone", "funasr_onnx", "server", "server, HTTP"}
    assert all(
        len(rounds) == 2 for by_calls in result["rounds"].values() for rounds in by_calls.values()
    )
    assert result["models"]["3"]["paraformer_encoder"]["inferences"] == 6
    assert set(result["memory_mb"]) == {
        "tritonserver",
        "paraformer_feature_extractor",
        "paraformer_encoder",
        "paraformer_scoring",
    }
    page = (tmp_path / "offline.md").read_text()
    assert "| server, HTTP | 3 |" in page
    assert page.strip() in capsys.readouterr().out


def test_file_writes_ratios(tiny, tmp_path):
    status = main(
        [
            *("file", "--paraformer", TINY),
            *("--repeats", "1", "--rounds", "2", "--in-flight", "3"),
            *("--output", str(tmp_path), "--work", tiny),
        ]
    )
    assert status == 0
    result = json.loads((tmp_path / "file.json").read_text())["results"]["paraformer"]
    assert len(result["ensemble_s"]["3"]) == len(result["pipeline_s"]["3"]) == 2
    assert 0 < result["speech_s"] < result["audio_s"]
    assert result["segments"] > 10
    assert "| 3 |" in (tmp_path / "file.md").read_text()


def test_glue_counts_rows_and_processor_time(tmp_path):
    status = main(
        [
            *("glue", "--concurrency", "1", "6", "--run-ms", "40", "--max-batch", "32"),
            *("--recordings", "48", "--output", str(tmp_path), "--work", str(tmp_path / "models")),
            *("--streams", "4", "--seconds", "1.8", "--encoder-ms", "5", "--decoder-ms", "5"),
        ]
    )
    assert status == 0
    results = json.loads((tmp_path / "glue.json").read_text())["results"]
    result = results["sensevoice"]
    alone, together = result["loads"]
    assert alone["mean_batch"] == alone["share"] == 1
    # Six at a time, of different lengths: were only equal ones joined, it would be 1.
    assert 1 < together["mean_batch"] <= 6
    assert 0 < together["share"] <= 1
    parts = {"tritonserver", *(f"sensevoice_{part}" for part in
             ("feature_extractor", "encoder", "scoring"))}  # fmt: skip
    assert set(together["cpu_ms"]) == parts
    assert "| 6 |" in (tmp_path / "glue.md").read_text()
    (streams,) = results["paraformer_online"]["loads"]
    assert 1 <= streams["mean_batch"] <= 4
    assert 0 < streams["p50_s"] <= streams["p95_s"]
    assert {"streaming_encoder", "streaming_decoder"} < set(streams["cores"])


def test_gpu_measures_a_cpu_where_told_to(embedded, tmp_path):
    """The whole command but for the GPU, with the embedded models."""
    status = main(
        [
            *("gpu", "--cpu", "--precision", "fp32", "--batch", "1", "2", "--concurrency", "2"),
            *("--streams", "2", "--seconds", "1.8", "--minutes", "5", "--recordings", "24"),
            *("--output", str(tmp_path), "--work", embedded),
        ]
    )
    assert status == 0
    result = json.loads((tmp_path / "gpu.json").read_text())["results"]
    assert result["device"] == "CPU"
    assert result["backend"] == ("C++" if find_installation().has_onnxruntime else "Python-based")
    for texts in result["texts"].values():
        assert texts == {"recordings": 22, "differ": []}
    models = ("sensevoice", "paraformer", "paraformer-online")
    assert set(result["texts"]) == {f"{model}, fp32" for model in models}
    assert set(result["graphs"]["sensevoice"]["audio_per_second"]) == {"1", "2"}
    (load,) = result["server"]["paraformer"]
    assert load["load"]["audio_per_s"] > 1 and load["mean_batch"] >= 1 and load["gpu"] is None
    assert [streams["streams"] for streams in result["streams"]] == [2]
    assert "| 2 |" in (tmp_path / "gpu.md").read_text()


def test_gpu_measures_a_part_alone_and_lone_requests_of_one_length(embedded, tmp_path):
    status = main(
        [
            *("gpu", "--cpu", "--precision", "fp32", "--no-texts", "--batch", "--streams"),
            *("--concurrency", "1", "--recordings", "8"),
            *("--output", str(tmp_path), "--work", embedded),
        ]
    )
    assert status == 0
    result = json.loads((tmp_path / "gpu.json").read_text())["results"]
    assert result["texts"] == result["graphs"] == {} and result["streams"] == []
    for model in ("sensevoice", "paraformer"):
        (measured,) = result["server"][model]
        requests = measured["load"]["audio_per_s"]  # 5 s each, for 5 s
        assert requests >= 1 and requests == round(requests)


def test_latency_pairs_every_request(tiny, tmp_path):
    status = main(
        [
            *("latency", "--paraformer", TINY),
            *("--recordings", "4", "--rounds", "2"),
            *("--output", str(tmp_path), "--work", tiny),
        ]
    )
    assert status == 0
    result = json.loads((tmp_path / "latency.json").read_text())["results"]["paraformer"]
    assert len(result["bare_s"]) == len(result["server_s"]) > 2
    assert all(seconds > 0 for seconds in result["bare_s"] + result["server_s"])
    assert "Median of the pairs: " in (tmp_path / "latency.md").read_text()


def test_peers_hear_what_the_server_hears(embedded, tmp_path):
    """The same weights: FunASR's runtime has the same errors."""
    options = ("--output", str(tmp_path), "--work", embedded)
    assert main(["accuracy", "--peers", "funasr_onnx", *options]) == 0
    results = json.loads((tmp_path / "accuracy.json").read_text())["results"]
    for result in results.values():
        assert result["differ"]["funasr_onnx"] == 0
        assert (
            0 < result["error_rate"]["server"]["all"] == result["error_rate"]["funasr_onnx"]["all"]
        )
    assert results["sensevoice"]["utterances"] > results["paraformer"]["utterances"] == 30
    assert "| funasr_onnx |" in (tmp_path / "accuracy.md").read_text()


def test_the_workload_is_seeded_and_has_the_lengths_of_read_speech():
    recordings = make_recordings(SAMPLES, 400, seed=1)
    again = make_recordings(SAMPLES, 400, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(recordings, again, strict=True))
    seconds = [total_seconds([recording]) for recording in recordings]
    assert min(seconds) >= 1
    assert max(seconds) <= 15
    assert np.mean(seconds) == pytest.approx(5, abs=0.3)
