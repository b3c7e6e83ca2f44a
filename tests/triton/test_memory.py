"""Arrays outlive the memory that Triton lends."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "backends" / "onnxruntime"))

import ort_memory

from asr_triton import memory


@pytest.mark.parametrize("own", [memory.own, ort_memory.own])
def test_lent_memory_is_copied_and_an_arrays_own_is_not(own):
    lent = bytearray(np.arange(6, dtype=np.float32).tobytes())
    view = np.frombuffer(lent, np.float32).reshape(2, 3)[:, 1:]
    kept = own(view)
    lent[:] = bytes(len(lent))
    np.testing.assert_array_equal(kept, [[1, 2], [4, 5]])
    copied = np.arange(6, dtype=np.float32)
    for array in (copied, copied.view(np.int32), copied.reshape(2, 3)[1:]):
        assert own(array) is array


@pytest.mark.parametrize("keep", [memory.keep_freed_memory, ort_memory.keep_freed_memory])
def test_freed_memory_is_used_again(keep):
    """In a process of its own: its pages fault once, not with every array."""
    program = (
        "import resource, sys, numpy as np\n"
        "sys.path.insert(0, sys.argv[1])\n"
        f"from {keep.__module__} import keep_freed_memory\n"
        "keep_freed_memory()\n"
        "fill = lambda: [np.ones(3 * 2**20, np.uint8) for _ in range(4)]\n"
        "fill()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(10): fill()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)\n"
    )
    folder = Path(sys.modules[keep.__module__].__file__).parent
    path = folder if keep is ort_memory.keep_freed_memory else folder.parent
    out = subprocess.run(
        [sys.executable, "-c", program, str(path)], check=True, capture_output=True, text=True
    )
    assert int(out.stdout) < 1000  # of 30,000 pages


FRONT_END = """
import resource, sys, types
import numpy as np
folder = lambda: sys.argv[1]
sys.modules["triton_python_backend_utils"] = types.SimpleNamespace(get_model_dir=folder)
from asr_triton.feature_extraction import build_feature_service

parameters = types.SimpleNamespace(number=lambda _: 120.0, text=lambda _: "asrfront", device="cpu")
service = build_feature_service(parameters)
lengths = np.random.default_rng(0).integers(16_000, 240_000, 200)

def answer_all():
    for batch in lengths.reshape(-1, 8):  # whose responses go back together
        answers = []
        for length in batch.tolist():
            recording = np.ones((1, length), np.float32)
            answers.append(service.answer(recording, np.array([[length]], np.int32)))

answer_all()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
answer_all()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / len(lengths))
"""


def test_front_ends_use_memory_again():
    """A recording of 8 s and its features are some 200 pages."""
    folder = Path(__file__).parents[2] / "embedded_models" / "sensevoice"
    command = [sys.executable, "-c", FRONT_END, str(folder)]
    out = subprocess.run(command, check=True, capture_output=True, text=True)
    assert float(out.stdout) < 10
