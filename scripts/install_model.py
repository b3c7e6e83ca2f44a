"""Puts a model into a model repository; see `asr_server.commands.install`."""

import sys

from asr_server.commands.install import main

if __name__ == "__main__":
    sys.exit(main())
