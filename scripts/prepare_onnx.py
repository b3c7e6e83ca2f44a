"""Prepares an exported graph for serving; see `asr_server.commands.prepare`."""

import sys

from asr_server.commands.prepare import main

if __name__ == "__main__":
    sys.exit(main())
