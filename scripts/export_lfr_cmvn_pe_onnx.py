"""Writes the streaming front end as a graph; see `asr_server.commands.export_front_end`."""

import sys

from asr_server.commands.export_front_end import main

if __name__ == "__main__":
    sys.exit(main())
