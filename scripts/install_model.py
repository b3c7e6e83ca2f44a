"""Puts a model into a model repository; see `asr_server.install.into_repository`."""

import sys

from asr_server.install.into_repository import main

if __name__ == "__main__":
    sys.exit(main())
