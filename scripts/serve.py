"""Serves the model repositories; see `asr_server.run.serve`."""

import sys

from asr_server.run.serve import main

if __name__ == "__main__":
    sys.exit(main())
