"""What is missing for a server is said before it is started."""

import sys
from pathlib import Path

import pytest

from asr_server.run import ServerFlags, TritonServerError, held_ports
from asr_server.run import installation as triton_installation
from asr_server.run.installation import (
    TritonInstallation,
    assemble_backends,
    check_installation,
    find_installation,
    server_environment,
)

MINOR = sys.version_info.minor


def program(path: Path) -> Path:
    """Some executable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def installation(folder: Path) -> TritonInstallation:
    """As in the container: bin and backends side by side."""
    python = folder / "backends" / "python"
    stub = program(python / "triton_python_backend_stub")
    (python / "libtriton_python.so").write_bytes(b"library")
    (python / "triton_python_backend_utils.py").touch()
    return TritonInstallation(program(folder / "bin" / "tritonserver"), folder / "backends", stub)


@pytest.fixture
def nothing_on_path(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)


def test_the_server_on_path_comes_first(tmp_path, monkeypatch):
    home = installation(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    assert find_installation().binary == home.binary


@pytest.mark.parametrize(
    ("libc", "words"), [(("glibc", "2.31"), "glibc 2.35 or newer.*got 2.31"), (("", ""), "glibc")]
)
def test_an_older_c_library(nothing_on_path, monkeypatch, libc, words):
    monkeypatch.setattr("platform.libc_ver", lambda: libc)
    with pytest.raises(TritonServerError, match=words):
        find_installation()


def test_no_wheel(nothing_on_path, monkeypatch):
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        TritonServerError,
        match=r"triton-asr\[server\].*nvidia-pytriton==0\.7\.0",
    ):
        find_installation()


def test_no_stub_for_this_python(nothing_on_path, monkeypatch, tmp_path):
    class Spec:
        origin = str(tmp_path / "__init__.py")

    for version in ("3.8", "3.13"):
        (tmp_path / "tritonserver" / "python_backend_stubs" / version).mkdir(parents=True)
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: Spec)
    with pytest.raises(TritonServerError, match=rf"for Python 3\.{MINOR} .*only for 3\.8, 3\.13"):
        find_installation()


@pytest.mark.parametrize("version", ["2.0.0", "2.5.5"])
def test_numpy_2(nothing_on_path, monkeypatch, tmp_path, version):
    class Spec:
        origin = str(tmp_path / "__init__.py")

    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: Spec)
    monkeypatch.setattr("importlib.metadata.version", lambda name: version)
    with pytest.raises(TritonServerError, match=f"NumPy below 2, got {version}"):
        find_installation()


@pytest.mark.parametrize(
    ("prints", "words"),
    [
        (f"libpython3.{MINOR}.so.1.0 => not found", f"package libpython3.{MINOR} .*enable-shared"),
        ("libcudart-1.so => not found", "needs libcudart-1.so"),
        ("./stub: version `GLIBC_2.35' not found", "needs GLIBC_2.35"),
        ("libpython3.7.so.1.0 => /lib/libpython3.7.so.1.0", "is built for Python 3.7, got Python"),
    ],
)
def test_a_stub_that_would_not_run(tmp_path, monkeypatch, prints, words):
    monkeypatch.setattr(triton_installation, "_linker_listing", lambda program, paths: prints)
    with pytest.raises(TritonServerError, match=words):
        check_installation(installation(tmp_path))


def test_a_program_for_another_system(tmp_path):
    home = installation(tmp_path)
    home.binary.write_bytes(b"\x7fELF not really")
    with pytest.raises(TritonServerError, match="does not run on this system"):
        check_installation(home)


def test_our_backend_unless_there_is_the_cpp_one(tmp_path):
    home = installation(tmp_path / "home")
    (home.backends / "tensorrt").mkdir()
    folder = assemble_backends(home, tmp_path / "work")
    assert sorted(path.name for path in folder.iterdir()) == ["onnxruntime", "python", "tensorrt"]
    assert (
        (folder / "onnxruntime" / "model.py")
        .resolve()
        .is_relative_to(triton_installation.ONNXRUNTIME_BACKEND)
    )
    library = folder / "python" / "libtriton_python.so"
    assert library.read_bytes() == b"library" and not library.is_symlink()
    (home.backends / "onnxruntime").mkdir()
    (home.backends / "onnxruntime" / "libtriton_onnxruntime.so").touch()
    again = assemble_backends(home, tmp_path / "work")
    assert (again / "onnxruntime").resolve() == home.backends / "onnxruntime"


def test_a_stub_that_is_not_executable_is_copied(tmp_path):
    home = installation(tmp_path / "home")
    home.stub.chmod(0o644)
    check_installation(home)
    stub = assemble_backends(home, tmp_path / "work") / "python" / home.stub.name
    assert not stub.is_symlink()
    assert stub.stat().st_mode & 0o111


def test_the_environment_finds_this_python(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/elsewhere")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/mine")
    home = TritonInstallation(tmp_path, tmp_path, tmp_path, (Path("/a"), Path("/b")))
    env = server_environment(home, tmp_path, {"EXTRA": "1"})
    python3 = Path(env["PATH"].split(":")[0]) / "python3"
    assert python3.resolve() == Path(sys.executable).resolve()
    assert env["LD_LIBRARY_PATH"] == "/a:/b:/mine"
    assert env["EXTRA"] == "1"
    assert "PYTHONHOME" not in env


def test_another_python3_beside_this_python_is_passed_over(tmp_path, monkeypatch):
    executable = tmp_path / "bin" / "python3.99"
    executable.parent.mkdir()
    executable.symlink_to(Path(sys.executable).resolve())
    program(tmp_path / "bin" / "python3")
    monkeypatch.setattr(sys, "executable", str(executable))
    home = TritonInstallation(tmp_path, tmp_path, tmp_path)
    first = Path(server_environment(home, tmp_path / "work")["PATH"].split(":")[0])
    assert first.is_relative_to(tmp_path / "work")
    assert (first / "python3").resolve() == executable.resolve()


def test_flags():
    words = ServerFlags(
        pinned_memory_pool_bytes=1,
        cuda_memory_pool_bytes={0: 2},
        model_control_mode="explicit",
        load_models=["a"],
        exit_on_error=False,
        backend_config=[("python", "shm-default-byte-size", "3")],
    ).arguments()
    for word in (
        "--pinned-memory-pool-byte-size=1",
        "--cuda-memory-pool-byte-size=0:2",
        "--load-model=a",
        "--exit-on-error=false",
        "--strict-readiness=false",
        "--backend-config=python,shm-default-byte-size=3",
        "--grpc-infer-allocation-pool-size=6144",  # else many streams can crash the server
    ):
        assert word in words
    with pytest.raises(ValueError, match="model_control_mode='explicit', got None"):
        ServerFlags(load_models=["a"]).arguments()


def test_ports_are_different():
    with held_ports(20) as ports:
        assert len(set(ports)) == 20
