"""Converts a prepared graph to int8 or fp16; see `asr_server.commands.convert`."""

import sys

from asr_server.commands.convert import main

if __name__ == "__main__":
    sys.exit(main())
