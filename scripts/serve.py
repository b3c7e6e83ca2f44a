"""Serves the model repositories; see `asr_server.commands.serve`."""

import sys

from asr_server.commands.serve import main

if __name__ == "__main__":
    sys.exit(main())
