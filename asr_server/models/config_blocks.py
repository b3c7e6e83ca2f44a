"""Parts of a model's `config.pbtxt` that commands write, each between two marks of its own.

    # >>> warm-up        `install`: what is run before the model is ready
    # >>> tensors        `install`: inputs and outputs whose widths are the model's
    # >>> gpu file       `install`: the graph for GPUs; `configure-gpu tensorrt` takes it out
    # >>> configure_gpu  `configure-gpu`: providers and their options

What is outside of them stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

CONFIG = "config.pbtxt"
GRAPH, GPU_GRAPH = "model.onnx", "model_gpu.onnx"
WARM_UP_FOLDER = "warmup"  # Triton's name for it
_WARM_UP, _TENSORS, _GPU_FILE = "warm-up", "tensors", "gpu file"
_INSTALLED = (_WARM_UP, _TENSORS, _GPU_FILE)
_WARM_UP_HEAD = (
    "# Run once before the model is ready. `triton-asr-server install` writes this: the widths are",
    "# those of the model that is installed.",
    "model_warmup [",
    "  {",
    '    name: "as_installed"',
    "    batch_size: 1",
)
_TENSORS_HEAD = "# Of the model that is installed. `triton-asr-server install` writes this."
_GPU_FILE_HEAD = (
    "# The graph for GPUs, by compute capability. `triton-asr-server install` writes this.",
    "cc_model_filenames [",
)

# All that a current or older release of CUDA compiles for. A GPU that is not among them gets the
# CPU's graph, which runs anywhere.
_CAPABILITIES = (
    *("6.0", "6.1", "6.2", "7.0", "7.2", "7.5", "8.0", "8.6", "8.7", "8.8", "8.9", "9.0"),
    *("10.0", "10.1", "10.3", "11.0", "12.0", "12.1"),
)


def set_block(text: str, name: str, block: str) -> str:
    """Return a configuration with this block in the place of the former; an empty one is left out.

    Args:
        text: the configuration.
        name: of the block.
        block: its lines without the marks.
    """
    begin, end = f"# >>> {name}", f"# <<< {name}"
    marked = f"{begin}\n{block}\n{end}\n" if block else ""
    start = text.find(f"{begin}\n")
    if start < 0:
        return f"{text.rstrip()}\n\n{marked}" if block else text
    behind = text.index(end, start) + len(end)
    parts = text[:start].rstrip(), marked.rstrip(), text[behind:].strip()
    return "\n\n".join(part for part in parts if part) + "\n"


def set_warm_up(text: str, inputs: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a configuration that runs a model once before it is ready.

    Args:
        text: the configuration.
        inputs: by name `data_type`, `dims` and the `value` of all elements; one that is not 0 is
            read from a file of the input's name in `WARM_UP_FOLDER`. None: no warm-up.
    """
    lines = []
    for name, each in inputs.items():
        dims = ", ".join(map(str, each["dims"]))
        data = f'input_data_file: "{name}"' if each["value"] else "zero_data: true"
        lines += [
            f'    inputs {{ key: "{name}" value: {{',
            f"      data_type: {each['data_type']} dims: [ {dims} ] {data}",
            "    } }",
        ]
    block = "\n".join([*_WARM_UP_HEAD, *lines, "  }", "]"]) if lines else ""
    return set_block(text, _WARM_UP, block)


def set_tensors(text: str, tensors: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Return a configuration with the inputs and outputs that it left to the model's file.

    Without them Triton starts a model's process twice: it asks one for them first.

    Args:
        text: the configuration.
        tensors: by "input" and "output", then by name, `data_type` and `dims`. What is declared
            elsewhere in the configuration stays as it is. None: nothing is declared.
    """
    bare = set_block(text, _TENSORS, "")
    parts = []
    for what, entries in tensors.items():
        if re.search(rf"^{what} \[", bare, re.MULTILINE):
            continue
        lines = []
        for name, each in entries.items():
            dims = ", ".join(map(str, each["dims"]))
            lines.append(f'  {{ name: "{name}" data_type: {each["data_type"]} dims: [ {dims} ] }}')
        parts += [f"{what} [", ",\n".join(lines), "]"]
    return set_block(text, _TENSORS, "\n".join([_TENSORS_HEAD, *parts]) if parts else "")


def set_gpu_file(text: str, present: bool) -> str:
    """Return a configuration whose instances on GPUs open `GPU_GRAPH`, or the file of all others.

    Args:
        text: the configuration.
        present: whether there is such a file.
    """
    lines = [f'  {{ key: "{each}" value: "{GPU_GRAPH}" }}' for each in _CAPABILITIES]
    block = "\n".join([*_GPU_FILE_HEAD, ",\n".join(lines), "]"])
    return set_block(text, _GPU_FILE, block if present else "")


def without_installed(text: str) -> str:
    """Return a configuration without what `install` writes."""
    for name in _INSTALLED:
        text = set_block(text, name, "")
    return text


def carry_installed(old: str, new: str) -> str:
    """Return a newer version's configuration with what `install` has written into the older."""
    for name in _INSTALLED:
        _, mark, behind = old.partition(f"# >>> {name}\n")
        new = set_block(new, name, behind.partition(f"\n# <<< {name}")[0] if mark else "")
    return new
