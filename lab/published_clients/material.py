"""What the clients send: two utterances, the second open at the end; and a certificate."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr_contract import SAMPLE_RATE
from asr_server.places import ROOT

SAMPLES = ROOT / "embedded_models" / "samples"
_PAUSE_S = 1.2


def spoken_samples() -> NDArray[np.int16]:
    """Return the recording, [samples] at 16 kHz."""
    first, second = (
        soundfile.read(SAMPLES / f"zh_{index}.wav", dtype="int16")[0] for index in (1, 3)
    )
    return np.concatenate([first, np.zeros(int(_PAUSE_S * SAMPLE_RATE), np.int16), second])


def write_recordings(folder: Path) -> dict[str, str]:
    """Write it as `wav` and `mp3`, and a `manifest` of it; gives their paths."""
    samples = spoken_samples()
    files = {name: str(folder / f"talk.{name}") for name in ("wav", "mp3")}
    for path in files.values():
        soundfile.write(path, samples, SAMPLE_RATE)
    manifest = folder / "manifest.txt"
    entry = {"audio_filepath": files["wav"], "text": "无", "duration": len(samples) / SAMPLE_RATE}
    manifest.write_text(f"{entry}\n" * 3, encoding="utf-8")
    return {**files, "manifest": str(manifest)}


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a self-signed certificate of this machine and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(
        [*command, *names, "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    return certificate, key
