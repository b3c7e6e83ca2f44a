"""Counts the kernels that a run of a graph launches on a GPU.

    python -m lab.benchmark.kernels MODEL_DIR model_gpu.onnx... --rows 1 32

A run of few rows is bound by their number. They are counted by CUPTI, at CUDA's driver interface,
where every library's launches arrive. MODEL_DIR holds the `config.yaml` and `am.mvn` of the model.
"""

from __future__ import annotations

import argparse
import ctypes
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from asr_core.features import load_frontend
from asr_server.places import SAMPLES
from lab.benchmark.bare_graphs import as_taken, open_graph
from lab.benchmark.bare_session import choose_inputs
from lab.benchmark.workload import make_recordings

_LIBRARIES = ("libcupti.so.13", "libcupti.so.12", "libcupti.so")
_DRIVER, _ENTER = 1, 0  # CUPTI_CB_DOMAIN_DRIVER_API, CUPTI_API_ENTER
_SHOWN = 8


class _Call(ctypes.Structure):
    """The beginning of CUPTI's `CUpti_CallbackData`."""

    _fields_ = [
        ("site", ctypes.c_int),
        ("function", ctypes.c_char_p),
        ("parameters", ctypes.c_void_p),
        ("result", ctypes.c_void_p),
        ("kernel", ctypes.c_char_p),
    ]


_Callback = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32, ctypes.POINTER(_Call)
)


class CudaCalls:
    """Counts this process's launches and copies from when it is made.

    Attributes:
        kernels: launches by the kernel's name.
        calls: other calls that copy or wait, by function.
    """

    def __init__(self) -> None:
        self.kernels: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._callback = _Callback(self._count)
        cupti = _load()
        subscriber = ctypes.c_void_p()
        _check(cupti.cuptiSubscribe(ctypes.byref(subscriber), self._callback, None))
        _check(cupti.cuptiEnableDomain(1, subscriber, _DRIVER))

    def of(self, work: Callable[[], object]) -> tuple[Counter[str], Counter[str]]:
        """Return the kernels and the other calls of one piece of work."""
        self.kernels.clear()
        self.calls.clear()
        work()
        return Counter(self.kernels), Counter(self.calls)

    def _count(
        self, _user: object, _domain: int, _number: int, data: ctypes._Pointer[_Call]
    ) -> None:
        call = data.contents
        if call.site != _ENTER or not call.function:
            return
        function = call.function.decode()
        if function.startswith("cuLaunchKernel"):
            self.kernels[(call.kernel or b"?").decode(errors="replace")] += 1
        elif function.startswith(("cuMemcpy", "cuMemset", "cuStreamSynchronize")):
            self.calls[function] += 1


def _load() -> ctypes.CDLL:
    for name in _LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise OSError(f"expected CUPTI on the library path ({', '.join(_LIBRARIES)}), got none")


def _check(result: int) -> None:
    if result:
        raise OSError(f"CUPTI: expected 0, got error {result}")


def main() -> None:
    """Print the kernels of a run of each file named on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="folder of the exported model")
    parser.add_argument("file", type=Path, nargs="+", help="prepared for a GPU")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 32])
    options = parser.parse_args()
    recordings = make_recordings(sorted(SAMPLES.glob("*.wav")), max(options.rows))
    features = [load_frontend(options.model)(recording) for recording in recordings]
    for path in options.file:
        session = open_graph(path, "cuda")
        make_inputs = choose_inputs([value.name for value in session.get_inputs()])
        calls = CudaCalls()
        for rows in options.rows:
            run = partial(session.run, None, as_taken(session, make_inputs(features[:rows])))
            run()
            kernels, others = calls.of(run)
            most = [f"{number} {name[:60]}" for name, number in kernels.most_common(_SHOWN)]
            print(f"{path}, {rows} rows: {kernels.total()} kernels; {dict(others)}; {most}")


if __name__ == "__main__":
    main()
