"""Models prepared once and kept: preparing full-size ones takes longer than measuring them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from asr_server.file_hashes import hash_file
from asr_server.install import install
from asr_server.install.into_repository import write_config
from asr_server.models import ModelKind, copy_repository
from asr_server.models.names import Device, OnnxRuntime
from asr_server.places import ROOT, SAMPLES

MeasuredPrecision = Literal["fp32", "fp16", "int8"]


def installed(
    kind: ModelKind,
    source: Path,
    work: Path,
    precision: MeasuredPrecision = "fp32",
    device: Device = "cpu",
    onnxruntime: OnnxRuntime = "1.19",
) -> Path:
    """Return a repository with a model in it, as this checkout has it.

    The weights are those of an earlier run, where one had the same model and the same code for
    preparing it; all else is copied anew.

    Args:
        kind: which model.
        source: the exported model.
        work: keeps it.
        precision: int8 is made by the default recipe.
        device: what the graphs shall be fast on.
        onnxruntime: the oldest that has to read them, if that is a GPU.
    """

    def write(target: Path) -> None:
        copy_repository(kind, target)
        if precision == "fp32":
            install(kind, source, target, device=device, onnxruntime=onnxruntime)
        else:
            _install_converted(kind, source, target, precision, device, onnxruntime)

    own = ROOT / kind.repository
    for_what = precision if device == "cpu" else f"{device}-{precision}-{onnxruntime}"
    repository = prepared(work, f"{kind.name}-{for_what}", source, write)
    models = [own / model for model in kind.models]
    configs = [model / "config.pbtxt" for model in models]
    for path in [*configs, *(path for model in models for path in model.glob("*/model.py"))]:
        if precision != "int8" or path.name == "model.py":  # int8 has batch sizes of its own
            shutil.copyfile(path, repository / path.relative_to(own))
    for graph in kind.graphs:
        write_config(repository / graph.model)  # which is run before it is ready by its own widths
    return repository


def _install_converted(
    kind: ModelKind,
    source: Path,
    target: Path,
    precision: MeasuredPrecision,
    device: Device,
    onnxruntime: OnnxRuntime,
) -> None:
    from asr_server.install import Material, choose, install_converted, read_texts
    from asr_server.recordings import read_recordings

    recordings = read_recordings(sorted(SAMPLES.glob("*.wav")))
    material = Material(recordings, read_texts(SAMPLES / "transcripts.tsv"))
    choice = choose(kind, precision, None, str(source))
    install_converted(kind, source, target, choice, material, device, onnxruntime)


def prepared(work: Path, name: str, source: Path, write: Callable[[Path], object]) -> Path:
    """Return a folder, written by `write` unless an earlier run did so from the same.

    Args:
        work: keeps it.
        name: what it begins with; what else begins so was made from something else, and goes.
        source: what it is made from: the files of this folder, and the code that prepares graphs.
    """
    files = sorted((ROOT / "asr_server" / "graphs").glob("*.py"))
    files += sorted(path for path in source.iterdir() if path.is_file() and path.suffix != ".pt")
    made_from = "".join(f"{path.name} {hash_file(path)}\n" for path in files)
    folder = work / f"{name}-{hashlib.sha256(made_from.encode()).hexdigest()[:8]}"
    for other in set(work.glob(f"{name}-*")) - {folder}:
        shutil.rmtree(other)
    if not folder.exists():
        unfinished = folder.with_name(folder.name + ".unfinished")
        unfinished.mkdir(parents=True)
        write(unfinished)
        unfinished.rename(folder)
    return folder
