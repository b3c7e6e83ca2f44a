"""Two sessions on one copy of the weights: one for a run alone, one for runs beside others.

A session's threads are fixed when it is opened. On all cores a lone run answers soonest; several at
a time are faster on few threads each, for all cores' threads would only wait for each other.
Measured on two cores, full-size Paraformer: eight requests at a time take 1.01 to 1.02 x the time
of bare sessions where one session took 1.09 to 1.12 x, and a lone request 0.21 s where a session
with one thread takes 0.34 s. Streaming Paraformer turns this off (`spread_lone_runs`): how many
streams there can be matters more than how soon a lone one is answered, and a batch in its encoder
and another in its decoder are each alone in their process, but not on the cores.

Every session packs the weights for its kernels anew. So the graph is first written as the optimiser
leaves it on this processor, with packed weights in a file beside it, which the sessions map: they
share its pages. (Full-size Paraformer: 1.17 GB after the benchmark, 0.95 GB with one session. The
file, of twice the model's size, is in the folder for temporary files until both are open.)
"""

from __future__ import annotations

import ctypes
import gc
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnxruntime
from ort_providers import CPU, GPU_PROVIDERS
from ort_settings import Settings, session_options
from ort_signature import Signature, read_signature

OpenSession = Callable[[onnxruntime.SessionOptions], onnxruntime.InferenceSession]

# Bytes. ONNX Runtime 1.31 aligns only what is larger than a MiB, and its kernels crash on weights
# that are mapped from a place that is not aligned. What is smaller is little, and copied.
_SMALLEST_MAPPED = str(2**20 + 1)
_ALIGNMENT = 64
_PLACE = re.compile(r"\|(\d+);")  # of a kernel's packed weights: "kernel|offset;length;…"


@dataclass(frozen=True)
class Sessions:
    """What serves an instance.

    Attributes:
        path: the file that was opened.
        signature: of the graph.
        alone: for a run while there is no other.
        beside_others: for a run while there are; the same session where there never are.
    """

    path: Path
    signature: Signature
    alone: onnxruntime.InferenceSession
    beside_others: onnxruntime.InferenceSession

    @property
    def on_gpu(self) -> bool:
        """Whether ONNX Runtime computes on a GPU, with what it was given."""
        return not GPU_PROVIDERS.isdisjoint(self.alone.get_providers())


def open_shared(
    source: Path,
    open_session: OpenSession,
    settings: Settings,
    beside_others: Settings,
    warn: Callable[[str], None],
) -> Sessions:
    """Open both sessions on the CPU; where the weights cannot be shared, one that serves as both.

    Args:
        source: the model file.
        open_session: opens the model with the given options.
        settings: of the session for runs alone, and of one that serves as both.
        beside_others: of the session for the other runs.
        warn: takes a sentence for the log.

    Raises:
        ValueError: the model cannot be opened.
    """
    with tempfile.TemporaryDirectory(prefix="onnxruntime-") as folder:
        path = Path(folder) / "packed.onnx"
        options = session_options(settings)
        options.enable_cpu_mem_arena = False
        options.optimized_model_filepath = str(path)
        for key, value in (
            ("save_external_prepacked_constant_initializers", "1"),
            ("optimized_model_external_initializers_file_name", "packed.weights"),
            ("optimized_model_external_initializers_min_size_in_bytes", _SMALLEST_MAPPED),
        ):
            options.add_session_config_entry(f"session.{key}", value)
        try:
            packing = open_session(options)
            _check_alignment(onnx.load(str(path), load_external_data=False).graph)
        except ValueError as error:
            session = open_session(session_options(settings))  # or it is the model that is bad
            warn(f"its weights are not shared, and lone and other runs not told apart: {error}")
            return Sessions(source, read_signature(session), session, session)
        signature = read_signature(packing)
        del packing
        _give_memory_back()
        # Both have mapped the file when the folder goes.
        both = (
            onnxruntime.InferenceSession(str(path), session_options(each), providers=[(CPU, {})])
            for each in (settings, beside_others)
        )
        return Sessions(source, signature, *both)


def _check_alignment(graph: onnx.GraphProto) -> None:
    """Raise ValueError where weights outside the file are not aligned, in subgraphs too."""
    for tensor in graph.initializer:
        for entry in tensor.external_data:
            places = [entry.value] if entry.key == "offset" else _PLACE.findall(entry.value)
            if any(int(place) % _ALIGNMENT for place in places):
                raise ValueError(
                    f"ONNX Runtime {onnxruntime.__version__} wrote {tensor.name} to an offset that "
                    f"is no multiple of {_ALIGNMENT}"
                )
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _check_alignment(attribute.g)


def _give_memory_back() -> None:
    """Give what packing needed back to the system; glibc keeps it otherwise."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
