"""What the benchmark computes from what it measures, and the files it gives to peers."""

from __future__ import annotations

import json

import onnx
import onnxruntime
import pytest

from asr_core.features import load_cmvn
from lab.benchmark.__main__ import main
from lab.benchmark.bare_graphs import NoGpuError, measure_graph
from lab.benchmark.bare_streaming import BareCost
from lab.benchmark.frontend import FrontendResult
from lab.benchmark.offline import BARE, SERVER, OfflineResult, Round
from lab.benchmark.page import write_page
from lab.benchmark.report import frontend_markdown, offline_markdown, streaming_markdown
from lab.benchmark.sherpa_models import prepare_offline, prepare_streaming
from lab.benchmark.streaming import LoadResult, StreamingResult
from lab.benchmark.workload import Recording
from tests.serving import RANDOM_MODELS


def offline_result(bare_s: list[float], server_s: list[float]) -> OfflineResult:
    result = OfflineResult("infer_pipeline", "paraformer_encoder", "fp32", (1, 2))
    result.rounds = {
        BARE: {2: [Round(wall, 2 * wall, wall / 4, wall / 2) for wall in bare_s]},
        SERVER: {8: [Round(wall, 2 * wall, wall / 4, wall / 2) for wall in server_s]},
    }
    return result


def test_ratios_are_taken_within_a_round():
    """A machine that is slow for a round is slow for all, which their quotient does not see."""
    result = offline_result([1.0, 2.0, 10.0], [1.1, 2.2, 9.0])
    assert result.ratios(SERVER, 8) == pytest.approx([1.1, 1.1, 0.9])
    assert result.latency_s(SERVER, 8) == pytest.approx(2.2 / 4)


def test_the_offline_page_names_the_median_ratio():
    recordings: list[Recording] = [Recording((32_000,))]
    page = offline_markdown("paraformer", offline_result([1.0, 2.0], [1.5, 2.5]), recordings)
    assert "| server | 8 | 1.375 | 1.500, 1.250 | 1.375 | 500, 1000 ms | 1.0 |" in page


def load(streams: int, p95_s: float) -> LoadResult:
    cores = {"streaming_encoder": 1.0, "sherpa": 1.0}
    return LoadResult(streams, p95_s / 2, p95_s, p95_s, {}, cores)


def test_streams_are_sustained_up_to_the_last_that_was_in_time():
    result = StreamingResult(
        loads=[load(6, 0.3), load(8, 0.59), load(10, 0.6)], sherpa=[load(4, 0.7)]
    )
    assert (result.server_streams, result.sherpa_streams) == (8, 0)


@pytest.mark.parametrize("kind", ["paraformer", "sensevoice"])
def test_sherpa_gets_the_same_graph_with_metadata(kind, tmp_path):
    source = RANDOM_MODELS / f"{kind}-tiny-seed0"
    prepare_offline(kind, source, tmp_path)
    model, original = onnx.load(tmp_path / "model.onnx"), onnx.load(source / "model.onnx")
    entries = {entry.key: entry.value for entry in model.metadata_props}
    assert model.graph == original.graph
    assert float(entries["neg_mean"].split(",")[3]) == load_cmvn(source / "am.mvn").shift[3]
    lines = (tmp_path / "tokens.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == int(entries["vocab_size"])
    assert lines[-1].endswith(f" {len(lines) - 1}")


def test_sherpa_gets_the_shape_of_the_decoder(tmp_path):
    source = RANDOM_MODELS / "paraformer_online-tiny-seed0"
    prepare_streaming(source, tmp_path)
    entries = {e.key: e.value for e in onnx.load(tmp_path / "encoder.onnx").metadata_props}
    caches = [
        [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in onnx.load(tmp_path / "decoder.onnx").graph.input
        if value.name.startswith("in_cache")
    ]
    assert len(caches) == int(entries["decoder_num_blocks"])
    assert caches[0][1:] == [
        int(entries["encoder_output_size"]),
        int(entries["decoder_kernel_size"]) - 1,
    ]


def test_the_streaming_page_compares_with_sherpa():
    result = StreamingResult(bare=[BareCost(1, 2, 4, 0.4, 0.08)], sherpa=[load(4, 0.5)])
    page = streaming_markdown("paraformer_online", result, 20)
    assert "10.0 real-time streams" in page
    assert "sherpa-onnx's online websocket server: 4 streams" in page


def test_the_page_holds_every_run_with_its_command(tmp_path):
    for name in ("offline", "streaming"):
        run = {"command": f"measure {name}", "machine": {"CPU": "two cores"}, "results": {}}
        (tmp_path / f"{name}.json").write_text(json.dumps({**run, "sections": [f"### {name} x"]}))
    (tmp_path / "streaming.png").touch()
    write_page(tmp_path, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    assert page.index("measure offline") < page.index("### offline x") < page.index("## streaming")
    assert "![streaming](streaming.png)" in page
    assert "offline.png" not in page


def test_a_page_without_runs_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected JSON files"):
        write_page(tmp_path, tmp_path / "page.md")


def test_shares_of_the_front_end_are_those_of_a_round():
    result = FrontendResult(10.0, 50, [0.002, 0.004], [0.1, 0.2], [0.0, 0.001])
    assert result.share(result.frontend_s) == pytest.approx(0.02)
    assert "| front end | 3.00 | 2.00% |" in frontend_markdown("paraformer", result)


def test_a_missing_gpu_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert main(["gpu", "--work", str(tmp_path), "--output", str(tmp_path)]) == 1
    assert "no usable NVIDIA driver" in capsys.readouterr().err


def test_an_onnxruntime_without_cuda_is_named(monkeypatch):
    cpu = ["CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: cpu)
    model = RANDOM_MODELS / "paraformer-tiny-seed0"
    with pytest.raises(NoGpuError, match="expected an onnxruntime that has it"):
        measure_graph(model / "model.onnx", model, "cuda", [], [1], 1, print)
