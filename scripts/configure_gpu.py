"""Switches a repository between CUDA and TensorRT; see `asr_server.commands.configure_gpu`."""

import sys

from asr_server.commands.configure_gpu import main

if __name__ == "__main__":
    sys.exit(main())
