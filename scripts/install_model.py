"""Puts a model into a model repository; see `asr_server.install.models`."""

import sys

from asr_server.install.models import main

if __name__ == "__main__":
    sys.exit(main())
