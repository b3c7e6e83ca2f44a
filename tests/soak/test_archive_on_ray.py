"""An archive on Ray whose workers, driver and server are killed at random.

pytest -m soak -s tests/soak/test_archive_on_ray.py

Installs Ray into an environment of its own; `RAY_PYTHON` names an interpreter that has it already.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from asr_client.cli import main
from asr_server.places import ROOT
from asr_server.run import ServerFlags, TritonServer
from asr_server.run.ports import held_ports
from tests.client.archives import committed, read_results, write_manifest
from tests.serving import EMBEDDED, READY_TIMEOUT_S, install_models

pytestmark = pytest.mark.soak

FILES = 500
WORKERS = 3
SEED = int(os.environ.get("SEED", "20"))
# What is killed, in an order that is drawn; a driver is started again, so is the server.
DEATHS = [*["worker"] * 6, *["driver"] * 4, "server"]


@pytest.fixture(scope="module")
def ray_python(tmp_path_factory) -> Path:
    if named := os.environ.get("RAY_PYTHON"):
        return Path(named)
    folder = tmp_path_factory.mktemp("ray-environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install = [folder / "bin" / "pip", "install", "-q", "-c", ROOT / "constraints.txt"]
    subprocess.run([*install, "-e", f"{ROOT}[ray]"], check=True)
    return folder / "bin" / "python"


@contextmanager
def cluster(python: Path) -> Iterator[str]:
    """A cluster of Ray's on this machine alone, with a place for each worker."""
    # The paths of its sockets are short or it does not start.
    with tempfile.TemporaryDirectory(prefix="ray-") as folder, held_ports(1) as (port,):
        command = [python.parent / "ray", "start", "--head", "--block", f"--port={port}"]
        command += [f"--num-cpus={WORKERS}", f"--temp-dir={folder}", "--node-ip-address=127.0.0.1"]
        command += ["--include-dashboard=false", "--disable-usage-stats"]
        command += [f"--object-store-memory={100 << 20}"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                yield f"127.0.0.1:{port}"
            finally:
                children = psutil.Process(process.pid).children(recursive=True)
                process.terminate()
                _, alive = psutil.wait_procs(children, timeout=30)
                for child in alive:
                    child.kill()


def workers() -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if (process.info["cmdline"] or [""])[0].startswith("ray::RemoteWorker")
    ]


def test_each_file_once_whatever_dies(ray_python, tmp_path):
    manifest = write_manifest(tmp_path, FILES)
    repositories = install_models(tmp_path / "models", EMBEDDED)
    flags = ServerFlags(exit_timeout_s=3)
    killed: Counter[str] = Counter()
    draw = random.Random(SEED)
    deaths = draw.sample(DEATHS, len(DEATHS))
    print(f"seed {SEED}: {deaths}")

    @contextmanager
    def triton(**ports) -> Iterator[TritonServer]:
        log = tmp_path / "server.log"
        with TritonServer(repositories, log=log, flags=flags, **ports) as server:
            server.wait_ready(READY_TIMEOUT_S)
            yield server

    def archive(output: Path, grpc_port: int) -> list[str]:
        url = f"grpc://127.0.0.1:{grpc_port}"
        return ["archive", str(manifest), "--output-dir", str(output), "--url", url, "--ordered"]

    def drive(address: str, grpc_port: int) -> subprocess.Popen[bytes]:
        command = [ray_python, "-m", "asr_client", *archive(tmp_path / "ray", grpc_port)]
        command += ["--ray", address, "--workers", str(WORKERS), "--commit-every", "0.5"]
        return subprocess.Popen(command)

    with cluster(ray_python) as address, ExitStack() as stack:
        server = stack.enter_context(triton())
        ports = {
            name: int(url.rpartition(":")[2])
            for name, url in (("http_port", server.http_url), ("grpc_port", server.grpc_url))
        }
        grpc = ports["grpc_port"]
        assert main(archive(tmp_path / "undisturbed", grpc)) == 0
        driver = drive(address, grpc)
        for death in deaths:
            before = committed(tmp_path / "ray")
            # Neither before the first result nor all in one instant.
            while committed(tmp_path / "ray") == before and driver.poll() is None:
                time.sleep(0.05)
            time.sleep(draw.uniform(0, 1))
            if driver.poll() is not None:
                break
            if death == "driver":
                driver.kill()
                assert driver.wait() == -signal.SIGKILL
                driver = drive(address, grpc)
            elif death == "worker":
                draw.choice(workers()).kill()
            else:
                os.kill(server.pid, signal.SIGKILL)
                server.stop()
                server = stack.enter_context(triton(**ports))
            killed[death] += 1
        assert driver.wait(timeout=600) == 0
    print(f"killed: {dict(killed)}")
    results = read_results(tmp_path / "ray")
    assert [result["id"] for result in results] == [f"u{number:04d}" for number in range(FILES)]
    assert results == read_results(tmp_path / "undisturbed")
    assert killed == Counter(DEATHS)
