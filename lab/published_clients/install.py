"""Installs published packages at the versions that are named, each set in a folder of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PYTHON = {
    "openai": (
        "openai[realtime]==3.57.0",
        "litellm==1.110.2",
        "livekit-agents==1.8.9",
        "livekit-plugins-openai==1.8.9",
        "SpeechRecognition==3.17.0",
    ),
    "requests": ("requests==2.21.0",),
    "funasr-client": ("funasr-client==0.1.6",),
    "funasr-python": ("funasr-python==0.1.5",),
    "funasr": (
        "websockets==17.4",
        "websocket-client==1.9.2",
        "tritonclient[grpc]==2.73.0",
        "soundfile==0.14.0",
        "pydub==0.25.1",
        "numpy<2.5",
        "kaldialign",
        "scipy",
    ),
}
NODE = ("openai@6.49.0", "ws@8.23.0", "ai@6.0.326", "@ai-sdk/openai@3.0.141")


def python_of(work: Path, name: str) -> Path:
    """Return the interpreter that has a set of packages, which is installed if need be."""
    folder = work / "python" / name
    python, done = folder / "bin" / "python", folder / "installed"
    wanted = "\n".join(PYTHON[name])
    if not done.is_file() or done.read_text() != wanted:
        _run([sys.executable, "-m", "venv", "--clear", str(folder)], work)
        _run([str(python), "-m", "pip", "install", "-q", *PYTHON[name]], work)
        done.write_text(wanted)
    return python


def node_folder(work: Path) -> Path:
    """Return a folder whose `node_modules` has the packages for Node."""
    folder = work / "node"
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "installed"
    wanted = "\n".join(NODE)
    if not done.is_file() or done.read_text() != wanted:
        _run(["npm", "init", "-y"], folder)
        _run(["npm", "install", "--no-audit", "--no-fund", *NODE], folder)
        done.write_text(wanted)
    return folder


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {(done.stderr or done.stdout)[-500:]}")
