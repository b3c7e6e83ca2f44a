"""Switches a model repository's ONNX models between the ways to run on a GPU.

    triton-asr-server configure-gpu cuda model_repo_sensevoice
    triton-asr-server configure-gpu cuda model_repo_sensevoice --release 24.10 --memory-mib 6000
    triton-asr-server configure-gpu tensorrt model_repo_paraformer_online --precision fp16
    triton-asr-server configure-gpu show model_repo_sensevoice

`cuda` is what the repositories come with: float32 is computed as such, not in TF32 (`--tf32`), by
both backends, and cuDNN chooses its convolutions as is quick in the ONNX Runtime of that release of
Triton. `--memory-mib` bounds the arena of each model. `tensorrt` puts Triton's TensorRT accelerator
there, with a cache of engines; what it leaves runs on CUDA as said, and the graphs are those that
were prepared for the CPU, whose operators TensorRT knows. It is refused for models that
take rows of any lengths end to end: their graphs loop over packs of rows, and TensorRT would build
an engine anew for each size of a pack. Only the block between two marks in `config.pbtxt` is
written; the rest stays as it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from asr_contract.command_parser import CommandParser
from asr_server.commands.output import report_error
from asr_server.models.config_blocks import GPU_GRAPH, set_block, set_gpu_file
from asr_server.run.releases import (
    CURRENT,
    SINCE_ONNXRUNTIME_1_20,
    Release,
    convolution_search,
    parse_release,
)

_TENSORRT = 'name: "tensorrt"'
_RAGGED = "allow_ragged_batch: true"
_BLOCK = "configure_gpu"
FP_PRECISIONS = ("fp32", "fp16")
BOUNDS = ("min", "opt", "max")
CACHE = "/tmp/tensorrt_engines"  # in the container; mount a folder there to keep engines
WORKSPACE_BYTES = 4 << 30


def tensorrt_block(
    precision: str, cache: str, workspace_bytes: int, profile: Mapping[str, str] | None
) -> str:
    """Return the text that lets ONNX Runtime give what it can to TensorRT.

    Source: Triton's onnxruntime_backend, `src/onnxruntime.cc`, which reads these keys and refuses
    a model with others.

    Args:
        precision: "fp16" lets TensorRT compute in float16.
        cache: folder for engines, which take minutes to build, one for each range of shapes.
        workspace_bytes: that TensorRT may use while it builds.
        profile: "min", "opt" and "max" shapes of the inputs, as ONNX Runtime writes them; without
            one an engine is built anew when a shape lies outside all seen before.
    """
    settings = {
        "precision_mode": precision.upper(),
        "max_workspace_size_bytes": str(workspace_bytes),
        "trt_engine_cache_enable": "true",
        "trt_engine_cache_path": cache,
        "trt_timing_cache_enable": "true",
    }
    settings |= {f"trt_profile_{name}_shapes": text for name, text in (profile or {}).items()}
    return _accelerator("tensorrt", settings)


def cuda_block(tf32: bool) -> str:
    """Return the text that has ONNX Runtime's CUDA provider compute fp32 as fp32.

    Left to itself it multiplies float32 matrices in TF32, with ten bits of mantissa; whether rows
    keep their text in any company is then a matter of luck.

    Args:
        tf32: let it.
    """
    return _accelerator("cuda", {"use_tf32": str(int(tf32))})


def cuda_parameters(release: Release, memory_mib: int | None) -> str:
    """Return the CUDA provider's options that Triton takes from a model's parameters only.

    Args:
        release: of Triton, if its C++ backend serves; the Python-based one counts as a current one.
        memory_mib: that each instance's arena may take on its GPU; all of it if left out.
    """
    options = {"cudnn_conv_algo_search": convolution_search(release)}
    if memory_mib is not None:
        # grown by what is asked for: doubled, it would meet the bound at half of it
        options |= {"gpu_mem_limit": str(memory_mib << 20), "arena_extend_strategy": "1"}
    return "\n".join(
        f'parameters {{ key: "{key}" value: {{ string_value: "{value}" }} }}'
        for key, value in options.items()
    )


def _accelerator(name: str, parameters: Mapping[str, str]) -> str:
    lines = "\n".join(
        f'      parameters {{ key: "{key}" value: "{value}" }}' for key, value in parameters.items()
    )
    return (
        "optimization {\n"
        "  execution_accelerators {\n"
        "    gpu_execution_accelerator [ {\n"
        f'      name: "{name}"\n'
        f"{lines}\n"
        "    } ]\n"
        "  }\n"
        "}"
    )


def set_provider(text: str, block: str, gpu_file: bool) -> str:
    """Return a configuration with this block in place of the present one.

    Args:
        text: the configuration.
        block: options and accelerator.
        gpu_file: whether instances on GPUs open the graph that was prepared for them.
    """
    return set_gpu_file(set_block(text, _BLOCK, block), gpu_file)


def onnx_configs(repository: Path) -> list[Path]:
    """Return the configurations of a repository's ONNX models.

    Raises:
        ValueError: there is none.
    """
    found = [
        path
        for path in sorted(repository.glob("*/config.pbtxt"))
        if 'backend: "onnxruntime"' in path.read_text(encoding="utf-8")
    ]
    if not found:
        raise ValueError(f"{repository}: expected a model repository with ONNX models")
    return found


def _refuse_ragged(paths: Sequence[Path]) -> None:
    """Raise ValueError where a model takes rows of any lengths end to end."""
    ragged = [path.parent.name for path in paths if _RAGGED in path.read_text(encoding="utf-8")]
    if ragged:
        raise ValueError(
            f"tensorrt: expected models without allow_ragged_batch, got {', '.join(ragged)}: their "
            "graphs loop over packs of rows, and TensorRT would build an engine anew for each "
            "size of a pack; `cuda` serves them, with --device gpu at `install`"
        )


def main(arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = CommandParser(
        prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("provider", choices=("cuda", "tensorrt", "show"))
    parser.add_argument("repository", type=Path, nargs="+")
    parser.add_argument(
        "--tf32", action="store_true", help="of CUDA: float32 products in TF32, faster and coarser"
    )
    parser.add_argument(
        "--release",
        type=parse_release,
        default=CURRENT,
        help=f"of Triton: 24.10, or {SINCE_ONNXRUNTIME_1_20} or newer; default: %(default)s",
    )
    parser.add_argument("--memory-mib", type=int, help="bound for each model's CUDA arena")
    parser.add_argument("--precision", choices=FP_PRECISIONS, default="fp32", help="of TensorRT")
    parser.add_argument("--cache", default=CACHE, help="engine folder, default: %(default)s")
    parser.add_argument("--workspace-bytes", type=int, default=WORKSPACE_BYTES)
    for bound in BOUNDS:
        parser.add_argument(
            f"--{bound}-shapes", metavar="NAME:8x2,...", help="shape profile, all three bounds"
        )
    options = parser.parse_args(arguments)
    profile = {bound: getattr(options, f"{bound}_shapes") for bound in BOUNDS}
    profile = {bound: text for bound, text in profile.items() if text}
    if len(profile) not in (0, len(BOUNDS)):
        parser.error("expected all of --min-shapes, --opt-shapes and --max-shapes, or none")
    block = cuda_block(options.tf32)
    if options.provider == "tensorrt":
        block = tensorrt_block(options.precision, options.cache, options.workspace_bytes, profile)
    block = f"{cuda_parameters(options.release, options.memory_mib)}\n{block}"
    try:
        paths = [path for one in options.repository for path in onnx_configs(one)]
        if options.provider == "tensorrt":
            _refuse_ragged(paths)
        for path in paths:
            text = path.read_text(encoding="utf-8")
            if options.provider != "show":
                prepared = any(path.parent.glob(f"*/{GPU_GRAPH}"))
                in_cuda = prepared and options.provider == "cuda"
                path.write_text(set_provider(text, block, in_cuda), encoding="utf-8")
            in_use = "tensorrt" if _TENSORRT in path.read_text(encoding="utf-8") else "cuda"
            print(f"{path.parent.name}: {in_use}")
    except (ValueError, OSError) as error:
        return report_error(parser, error)
    return 0
