"""Finds a `tritonserver`, checks that it can run here, and lays out its backends.

Two kinds of installation are known:

* a `tritonserver` on PATH with its `backends` folder beside `bin` (the NGC container,
  /opt/tritonserver);
* the `nvidia-pytriton` wheel, which holds a complete server with the Python backend only.

Where the installation has no C++ ONNX Runtime backend, `backends/onnxruntime` of this repository
takes its place.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asr_server.extras import install_line
from asr_server.places import ONNXRUNTIME_BACKEND

WHEEL_REQUIREMENT = "nvidia-pytriton==0.7.0"
WHEEL_GLIBC = (2, 35)
STUB_NAME = "triton_python_backend_stub"


class TritonServerError(RuntimeError):
    """The server cannot be found, started or kept running; the message says what to do."""


@dataclass(frozen=True)
class TritonInstallation:
    """Where a server is.

    Attributes:
        binary: the `tritonserver` executable.
        backends: the folder of the backends it brings.
        stub: the Python backend's stub for the running Python.
        library_paths: folders for LD_LIBRARY_PATH.
    """

    binary: Path
    backends: Path
    stub: Path
    library_paths: tuple[Path, ...] = ()

    @property
    def has_onnxruntime(self) -> bool:
        """Return whether the C++ ONNX Runtime backend is part of it."""
        return (self.backends / "onnxruntime" / "libtriton_onnxruntime.so").exists()


def find_installation() -> TritonInstallation:
    """Return the server of this machine: the one on PATH, else the one in the wheel.

    Raises:
        TritonServerError: there is none, or it does not run with this Python or this system.
    """
    installation = _installation_on_path() or _wheel_installation()
    check_installation(installation)
    return installation


def _installation_on_path() -> TritonInstallation | None:
    """Return the server on PATH; None without one that has its backends beside it."""
    on_path = shutil.which("tritonserver")
    if on_path is None:
        return None
    binary = Path(on_path).resolve()
    home = binary.parent.parent
    stub = home / "backends" / "python" / STUB_NAME
    if not stub.exists():
        return None
    return TritonInstallation(binary, home / "backends", stub, (home / "lib",))


def _wheel_installation() -> TritonInstallation:
    """Return the server in the wheel, found without importing it.

    Raises:
        TritonServerError: no wheel, or none for this C library, this Python or this NumPy.
    """
    libc, libc_version = platform.libc_ver()
    if libc != "glibc":
        raise TritonServerError(
            f"the wheel {WHEEL_REQUIREMENT} needs Linux with glibc, got {libc or sys.platform}: "
            "use the NGC tritonserver container"
        )
    if tuple(int(part) for part in libc_version.split(".")[:2]) < WHEEL_GLIBC:
        raise TritonServerError(
            f"the wheel {WHEEL_REQUIREMENT} needs glibc 2.35 or newer (Ubuntu 22.04, Debian 12), "
            f"got {libc_version}: use the NGC tritonserver container"
        )
    spec = importlib.util.find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise TritonServerError(
            "no tritonserver: none on PATH with its backends beside it, and the package that "
            f"brings one is not installed for {sys.executable}: {install_line('server')} "
            f"(it brings {WHEEL_REQUIREMENT})"
        )
    _check_numpy()
    package = Path(spec.origin).parent
    home = package / "tritonserver"
    stubs = home / "python_backend_stubs"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = stubs / version / STUB_NAME
    if not stub.exists():
        known = sorted((p.name for p in stubs.glob("*")), key=lambda v: int(v.split(".")[1]))
        raise TritonServerError(
            f"the wheel has no Python stub for Python {version} in {stubs}, only for "
            f"{', '.join(known) or 'none'}: use one of these versions"
        )
    return TritonInstallation(
        binary=home / "bin" / "tritonserver",
        backends=home / "backends",
        stub=stub,
        library_paths=(package.parent / "nvidia_pytriton.libs", *_libpython_folders()),
    )


def _check_numpy() -> None:
    """Refuse NumPy 2, as the wheel's own requirements do, but not every installer.

    Its stubs were compiled for NumPy 1's array layout. Every array of NumPy 2 is zero bytes to
    them, and each answer fails with "output tensor shape does not match size of output".

    Raises:
        TritonServerError: NumPy is missing or too new.
    """
    try:
        numpy_version = importlib.metadata.version("numpy")
    except importlib.metadata.PackageNotFoundError:
        numpy_version = "none"
    if numpy_version.partition(".")[0] not in ("0", "1"):
        raise TritonServerError(
            f"the Python stubs of {WHEEL_REQUIREMENT} need NumPy below 2, got {numpy_version} for "
            f"{sys.executable}: pip install 'numpy<2'"
        )


def _libpython_folders() -> list[Path]:
    """Return where the running Python's own libpython3.x.so.1.0 is, if it has one.

    It goes before the system's, which may be another patch release of the same 3.x.
    """
    name = f"libpython3.{sys.version_info.minor}.so.1.0"
    candidates = [Path(sys.base_prefix) / "lib"]
    libdir = sysconfig.get_config_var("LIBDIR")
    if libdir:
        candidates.append(Path(libdir))
    return [folder for folder in candidates if (folder / name).exists()][:1]


def check_installation(installation: TritonInstallation) -> None:
    """Let the dynamic linker resolve the server and the stub, without running them.

    Raises:
        TritonServerError: a shared library is missing, or the stub belongs to another Python.
    """
    paths = ":".join(str(path) for path in installation.library_paths)
    version = f"3.{sys.version_info.minor}"
    for program in (installation.binary, installation.stub):
        listing = _linker_listing(program, paths)
        missing = re.findall(r"(\S+) => not found", listing)
        missing += re.findall(r"version `(\S+)' not found", listing)
        of_python = [name for name in missing if name.startswith("libpython")]
        if of_python:
            raise TritonServerError(
                f"{program} needs {of_python[0]}, which Python {version} at {sys.base_prefix} "
                f"does not bring: install the Debian package libpython{version} (or "
                f"python{version}-dev), or use a Python built with --enable-shared"
            )
        if missing:
            raise TritonServerError(f"{program} needs {', '.join(missing)}, not found in {paths}")
        linked = re.search(r"libpython3(?:-\w+)?\.(\d+)\.so", listing)
        if linked and int(linked[1]) != sys.version_info.minor:
            raise TritonServerError(
                f"{program} is built for Python 3.{linked[1]}, got Python {version} "
                f"({sys.executable}): install this project with Python 3.{linked[1]}"
            )


def _linker_listing(program: Path, library_path: str) -> str:
    """Return what the dynamic linker finds for a program; nothing if it is not executable.

    Raises:
        TritonServerError: it is for another system.
    """
    env = {**os.environ, "LD_TRACE_LOADED_OBJECTS": "1", "LD_LIBRARY_PATH": library_path}
    try:
        traced = subprocess.run(
            [str(program)], env=env, capture_output=True, text=True, check=False
        )
    except PermissionError:
        return ""  # `assemble_backends` makes an executable copy
    except OSError as error:
        raise TritonServerError(f"{program} does not run on this system: {error}") from error
    return traced.stdout + traced.stderr


def assemble_backends(installation: TritonInstallation, folder: Path) -> Path:
    """Put the backends side by side in `folder` as the server wants them.

    `python/` gets the stub for the running Python. `onnxruntime/` is this repository's, unless
    the installation has the C++ one.

    Returns:
        The folder for `--backend-directory`: the installation's own where nothing is missing.

    Raises:
        TritonServerError: programs cannot be started from `folder`.
    """
    own_stub = installation.backends / "python" / STUB_NAME
    if installation.has_onnxruntime and installation.stub == own_stub and _is_program(own_stub):
        return installation.backends
    folder.mkdir(parents=True, exist_ok=True)
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        raise TritonServerError(
            f"{folder.parent.parent} is mounted noexec, and Triton starts its Python backend from "
            "there; TMPDIR names another folder"
        )
    for backend in sorted(installation.backends.iterdir()):
        if backend.name not in ("python", "onnxruntime"):
            _link(backend, folder / backend.name)
    python = folder / "python"
    python.mkdir(exist_ok=True)
    for part in sorted((installation.backends / "python").iterdir()):
        if part.suffix == ".so":
            # Triton refuses a library whose real path is outside the backend's folder.
            shutil.copy2(part, python / part.name)
        elif part.name not in (STUB_NAME, "__pycache__"):
            _link(part, python / part.name)
    if _is_program(installation.stub):
        _link(installation.stub, python / STUB_NAME)
    else:  # Triton would change the mode of a file that may belong to someone else.
        shutil.copy(installation.stub, python / STUB_NAME)
        (python / STUB_NAME).chmod(0o755)
    if installation.has_onnxruntime:
        _link(installation.backends / "onnxruntime", folder / "onnxruntime")
    else:
        _link(ONNXRUNTIME_BACKEND, folder / "onnxruntime")
    return folder


def _is_program(path: Path) -> bool:
    return os.access(path, os.X_OK)


def _link(target: Path, link: Path) -> None:
    """Make `link` point to `target`, whatever it was before."""
    if link.is_symlink() or link.exists():
        link.unlink()
    link.symlink_to(target)


def server_environment(
    installation: TritonInstallation, folder: Path, env: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment that the server and its stubs run in.

    The stub embeds Python and asks PATH for `python3` to learn where its packages are; a
    `pyvenv.cfg` beside that makes it a virtual environment. So the running Python's own `bin`
    comes first. If the `python3` there is another Python, a link in `folder` comes before it.

    Args:
        installation: the server.
        folder: for that link.
        env: additions to this process's environment; they win.
    """
    result = dict(os.environ)
    result.pop("PYTHONHOME", None)  # would override what PATH says
    bin_folder = Path(sys.executable).parent
    python3 = bin_folder / "python3"
    if not python3.exists() or python3.resolve() != Path(sys.executable).resolve():
        bin_folder = folder / "bin"
        bin_folder.mkdir(parents=True, exist_ok=True)
        _link(Path(sys.executable).resolve(), bin_folder / "python3")
    result["PATH"] = f"{bin_folder}:{Path(sys.executable).parent}:{result.get('PATH', '')}"
    libraries = [str(path) for path in installation.library_paths]
    if result.get("LD_LIBRARY_PATH"):
        libraries.append(result["LD_LIBRARY_PATH"])
    if libraries:
        result["LD_LIBRARY_PATH"] = ":".join(libraries)
    result.update(env or {})
    return result
