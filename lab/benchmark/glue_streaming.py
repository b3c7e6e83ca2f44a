"""How many streams everything but encoder and decoder carries.

Streaming Paraformer's ensemble with the real front end and search, and in the place of the graphs
stand-ins that take a fixed time for a run, whatever the batch, as a GPU does.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from asr_contract.cores import usable_cores
from asr_core.streaming import CACHE_FILE
from asr_server.models import KINDS, VERSION, copy_repository
from asr_server.places import ONNXRUNTIME_BACKEND
from asr_server.run import TritonServer, count_instances
from lab.benchmark.bare_streaming import CHUNK_S
from lab.benchmark.realtime import load_triton
from lab.benchmark.running_server import START_TIMEOUT_S
from lab.benchmark.server_statistics import cpu_seconds
from lab.benchmark.stand_in_models import put_stand_in
from lab.benchmark.workload import Recording

KIND = KINDS["paraformer-online"]
MAX_BATCH = 256
CALL = 96  # windows in one call, as on a GPU
FULL_SIZE = {"hidden": 512, "layers": 16, "kernel": 11}
SEARCH, FRONT_END = "streaming_cif_search", "streaming_feature_extractor"
_WARM_UP_S = 3.0
_TENSORS = {
    "streaming_encoder": """output [
  { name: "hidden" data_type: TYPE_FP32 dims: [ -1, -1 ] },
  { name: "alphas" data_type: TYPE_FP32 dims: [ -1 ] }
]""",
    "streaming_decoder": """input [
  { name: "hidden" data_type: TYPE_FP32 dims: [ -1, -1 ] },
  { name: "hidden_lengths" data_type: TYPE_INT32 dims: [ 1 ] },
  { name: "acoustic_embeds" data_type: TYPE_FP32 dims: [ -1, -1 ] },
  { name: "embeds_lengths" data_type: TYPE_INT32 dims: [ 1 ] },
  { name: "cached_columns" data_type: TYPE_FP16 dims: [ -1, -1, -1 ] }
]
output [
  { name: "token_ids" data_type: TYPE_INT32 dims: [ -1 ] },
  { name: "token_scores" data_type: TYPE_FP32 dims: [ -1 ] },
  { name: "candidate_ids" data_type: TYPE_INT32 dims: [ -1, -1 ] },
  { name: "candidate_scores" data_type: TYPE_FP32 dims: [ -1, -1 ] },
  { name: "new_columns" data_type: TYPE_FP16 dims: [ -1, -1, -1 ] }
]""",
}


@dataclass(frozen=True)
class StreamsLoad:
    """What came of one number of streams.

    Attributes:
        streams: that spoke at a time.
        p50_s: from the moment a piece was spoken to its answer.
        p95_s: the same.
        mean_batch: windows of a run of the encoder's stand-in.
        cores: processor time of each process per second.
    """

    streams: int
    p50_s: float
    p95_s: float
    mean_batch: float
    cores: dict[str, float]

    @property
    def streams_per_core(self) -> float:
        """Streams that a core of the server carries, stand-ins included."""
        return self.streams / sum(self.cores.values())

    @property
    def window_ms(self) -> dict[str, float]:
        """Processor time of each process for a window, in ms."""
        windows_per_s = self.streams / CHUNK_S
        return {name: 1000 * cores / windows_per_s for name, cores in self.cores.items()}


@dataclass(frozen=True)
class StreamsResult:
    """One run of the benchmark.

    Attributes:
        encoder_s, decoder_s: times of a run of the stand-ins.
        instances: processes of search and front end.
        loads: one for each number of streams.
    """

    encoder_s: float
    decoder_s: float
    instances: dict[str, int]
    loads: list[StreamsLoad]


def measure_streams(
    recordings: Sequence[Recording],
    streams: Sequence[int],
    seconds: float,
    encoder_s: float,
    decoder_s: float,
    log: Callable[[str], None],
) -> StreamsResult:
    """Serve the ensemble around the stand-ins and let streams speak.

    Args:
        recordings: what is spoken.
        streams: numbers of them to try.
        seconds: length of each.
        encoder_s, decoder_s: times of a run.
        log: is told how far it is.
    """
    counts = count_instances(usable_cores(), gpus=1)
    instances = {name: counts[name] for name in (SEARCH, FRONT_END)}
    with tempfile.TemporaryDirectory(prefix="glue-") as folder:
        work = Path(folder)
        runs = work / "encoder.txt"
        repository = copy_repository(KIND, work / KIND.repository)
        for model, run_s in (("streaming_encoder", encoder_s), ("streaming_decoder", decoder_s)):
            file = runs if model == "streaming_encoder" else work / "decoder.txt"
            parameters = {"run_s": str(run_s), "runs_file": str(file)}
            parameters["backend"] = str(ONNXRUNTIME_BACKEND)
            path = repository / model
            put_stand_in(path, "streaming.py", MAX_BATCH, parameters, _TENSORS[model])
        _size_search(repository / SEARCH)
        with TritonServer([repository], log=work / "server.log", instances=instances) as server:
            server.wait_ready(START_TIMEOUT_S)
            asyncio.run(load_triton(server.grpc_url, recordings, streams[0], _WARM_UP_S))
            loads = []
            for count in streams:
                before, runs_before = cpu_seconds(server.pid), len(_read(runs))
                load = asyncio.run(load_triton(server.grpc_url, recordings, count, seconds))
                batches = _read(runs)[runs_before:]
                used = cpu_seconds(server.pid)
                loads.append(
                    StreamsLoad(
                        count,
                        load.percentile_s(50),
                        load.percentile_s(95),
                        sum(batches) / len(batches),
                        {name: (used[name] - before[name]) / seconds for name in used},
                    )
                )
                log(f"{count} streams: p95 {loads[-1].p95_s:.3f} s")
    return StreamsResult(encoder_s, decoder_s, instances, loads)


def _size_search(model: Path) -> None:
    """Give the search the embedded vocabulary, the full model's sizes, cache and calls of a GPU."""
    folder = model / VERSION
    shutil.copy(KIND.embedded / "tokens.json", folder)
    config = yaml.safe_load((KIND.embedded / "config.yaml").read_text(encoding="utf-8"))
    config["encoder_conf"]["output_size"] = FULL_SIZE["hidden"]
    config["decoder_conf"]["num_blocks"] = FULL_SIZE["layers"]
    config["decoder_conf"]["kernel_size"] = FULL_SIZE["kernel"]
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (folder / CACHE_FILE).write_text('{"dtype": "float16"}', encoding="utf-8")
    path = model / "config.pbtxt"
    text = path.read_text(encoding="utf-8")
    for key, value in (("max_batch_size", CALL), ("parallel_batches", 1)):
        before = f'key: "{key}" value: {{ string_value: "0" }}'
        text = text.replace(before, f'key: "{key}" value: {{ string_value: "{value}" }}')
    path.write_text(text, encoding="utf-8")


def _read(path: Path) -> list[int]:
    """Return the rows of each run so far."""
    return [int(line) for line in path.read_text(encoding="utf-8").splitlines()]
