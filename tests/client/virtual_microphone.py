"""A sound card that is not there: a PulseAudio null sink, whose monitor is the microphone."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path


class VirtualMicrophone:
    """What a program that records needs to know, and what it then hears.

    `environment` is for the program; the name of its device is "pulse" (ALSA's pulse plugin).
    """

    def __init__(self, work: Path) -> None:
        self._socket = work / "pulse.sock"
        self.environment = {**os.environ, "PULSE_SERVER": f"unix:{self._socket}"}

    def play(self, path: Path) -> subprocess.Popen[bytes]:
        """Start to play a recording to the microphone."""
        # A long buffer: on a loaded machine the player must not fall behind the clock.
        return subprocess.Popen(["paplay", "--latency-msec=4000", str(path)], env=self.environment)


@contextlib.contextmanager
def virtual_microphone(work: Path) -> Iterator[VirtualMicrophone]:
    """Run a PulseAudio server of its own in a folder, until the block ends."""
    microphone = VirtualMicrophone(work)
    modules = [
        f"module-native-protocol-unix socket={work / 'pulse.sock'} auth-anonymous=1",
        "module-null-sink sink_name=virtual rate=48000 channels=1",
    ]
    command = ["pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"]
    command += [f"--load={module}" for module in modules]
    log = work / "pulseaudio.log"
    home = {"HOME": str(work), "XDG_RUNTIME_DIR": str(work)}
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, env={**os.environ, **home}, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            deadline = time.monotonic() + 60
            while not (work / "pulse.sock").exists():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"pulseaudio did not start:\n{log.read_text()}")
                time.sleep(0.05)
            yield microphone
        finally:
            server.terminate()
            server.wait(30)
