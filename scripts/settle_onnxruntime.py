"""Leaves an environment with the ONNX Runtime for its machine: onnxruntime-gpu beside a driver.

    python -m scripts.settle_onnxruntime

`make` calls it after each installation, which may bring `onnxruntime` beside `onnxruntime-gpu`.
"""

import argparse
import subprocess
import sys

from asr_server.gpus import usable_gpus
from asr_server.onnxruntime_package import describe_runtime, installed_packages, replacement

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def main() -> int:
    """Replace what is wrong, and say what is used; return the exit status."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    gpus = usable_gpus()
    for words in replacement(installed_packages(), gpus):
        status = subprocess.run([*PIP, *words, "--quiet"], check=False).returncode
        if status:
            return status
    print(describe_runtime(installed_packages(), gpus))
    return 0


if __name__ == "__main__":
    sys.exit(main())
