"""The command-line flags of `tritonserver` that have a name of their own here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

GRPC_POOL = "--grpc-infer-allocation-pool-size=6144"
"""How many gRPC requests the server keeps for the next ones instead of deleting them.

Triton's default is 8. With more requests on gRPC streams than the pool holds, release 24.10 (and
the sources of 26.09) can crash: `ModelStreamInferHandler::StreamInferResponseComplete` hands an
answer to the thread that writes it, and unlocks the request's mutex after that; the other thread
may have written the answer and deleted the request by then. One that goes back to the pool stays
valid. 6144 are the streams of `max_sessions` twice (`vad` 1024, `streaming_paraformer` 2048), each
with a request that waits to be read and one on its way.
"""

RETRY = "--model-load-retry-count=1"
"""A model that does not load is loaded once more: the first time, its process may have been late.

See `late_stubs`.
"""


@dataclass(frozen=True)
class ServerFlags:
    """What else goes on the command line; None leaves a flag out (Triton's default).

    Attributes:
        pinned_memory_pool_bytes: size of the pinned pool (Triton: 256 MiB).
        cuda_memory_pool_bytes: size of the pool of each device id (Triton: 64 MiB each).
        model_control_mode: "none", "poll" or "explicit".
        load_models: models to load at start; only with "explicit". ("*",) loads all.
        exit_on_error: end when a model does not load. If False the server also reports itself
            ready (`--strict-readiness=false`) with models missing.
        log_verbose: 0 is off.
        log_info: False leaves warnings and errors.
        exit_timeout_s: how long the server waits for running requests after SIGTERM.
        backend_config: (backend, key, value) triples.
    """

    pinned_memory_pool_bytes: int | None = None
    cuda_memory_pool_bytes: Mapping[int, int] = field(default_factory=dict)
    model_control_mode: str | None = None
    load_models: Sequence[str] = ()
    exit_on_error: bool = True
    log_verbose: int = 0
    log_info: bool = True
    exit_timeout_s: int = 10
    backend_config: Sequence[tuple[str, str, str]] = ()

    def arguments(self) -> list[str]:
        """Return the flags as command-line words.

        Raises:
            ValueError: `load_models` without "explicit", which Triton would ignore.
        """
        words = [
            f"--exit-on-error={str(self.exit_on_error).lower()}",
            f"--exit-timeout-secs={self.exit_timeout_s}",
            GRPC_POOL,
            RETRY,
            f"--log-verbose={self.log_verbose}",
            f"--log-info={str(self.log_info).lower()}",
        ]
        if not self.exit_on_error:
            words.append("--strict-readiness=false")
        if self.pinned_memory_pool_bytes is not None:
            words.append(f"--pinned-memory-pool-byte-size={self.pinned_memory_pool_bytes}")
        for device, size in self.cuda_memory_pool_bytes.items():
            words.append(f"--cuda-memory-pool-byte-size={device}:{size}")
        words += load_arguments(self.model_control_mode, self.load_models)
        words += [f"--backend-config={b},{key}={value}" for b, key, value in self.backend_config]
        return words


def load_arguments(model_control_mode: str | None, load_models: Sequence[str]) -> list[str]:
    """Return the flags that say which models are loaded.

    Raises:
        ValueError: `load_models` without "explicit", which Triton would ignore.
    """
    if load_models and model_control_mode != "explicit":
        raise ValueError(
            f"load_models={list(load_models)} needs model_control_mode='explicit', "
            f"got {model_control_mode!r}"
        )
    mode = [] if model_control_mode is None else [f"--model-control-mode={model_control_mode}"]
    return [*mode, *(f"--load-model={name}" for name in load_models)]
