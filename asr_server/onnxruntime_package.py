"""Which of ONNX Runtime's packages is installed, and whether it is the one for this machine.

`onnxruntime` and `onnxruntime-gpu` are the same folder of modules. Installed together, as
`funasr-onnx` brings the first into an environment with the second, the one that came last has
overwritten the other's files, and removing either breaks what is left.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence

from asr_server.errors import InstallError
from asr_server.gpus import Gpu

FOR_CPU, FOR_GPU = "onnxruntime", "onnxruntime-gpu"


def installed_packages() -> dict[str, str]:
    """Return the versions of those of the two packages that are installed, by name."""
    versions = {}
    for name in (FOR_CPU, FOR_GPU):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def replacement(installed: Mapping[str, str], gpus: Sequence[Gpu]) -> list[list[str]]:
    """Return what pip has to do for this machine to have one package, and one that fits.

    Args:
        installed: versions by name.
        gpus: that can be used; `onnxruntime-gpu` runs without any, too.

    Returns:
        Arguments of pip, command by command; none where all is as it should be.
    """
    wanted = FOR_GPU if gpus else FOR_CPU
    if len(installed) == 1 and (wanted in installed or not gpus):
        return []
    version = installed.get(wanted) or installed.get(FOR_CPU)
    pinned = f"=={version}" if version else ""
    commands = [["uninstall", "--yes", *installed]] if installed else []
    commands.append(["install", f"{wanted}{'[cuda,cudnn]' if gpus else ''}{pinned}"])
    return commands


def describe_runtime(installed: Mapping[str, str], gpus: Sequence[Gpu]) -> str:
    """Return what serves on what, as a line for the user.

    Raises:
        InstallError: both packages are installed; the message has the commands that repair it.
    """
    commands = " && ".join(
        " ".join(["pip", *(f'"{word}"' if "[" in word else word for word in words)])
        for words in replacement(installed, gpus)
    )
    if len(installed) > 1:
        raise InstallError(
            f"expected one of {FOR_CPU} and {FOR_GPU}, got both: they overwrite each other's "
            f"files, and which of them runs is chance. Repair it: {commands}"
        )
    what = " ".join(*installed.items()) if installed else "no ONNX Runtime"
    if not gpus:
        return f"no usable NVIDIA driver: serving on the CPU, with {what}"
    listing = ", ".join(map(str, gpus))
    if FOR_GPU in installed:
        return f"{listing}: serving there, with {what}"
    return f"{listing}, but {what} cannot use it: serving on the CPU. For the GPU: {commands}"
