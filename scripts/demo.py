"""Shows the whole way on the embedded models; see `asr_server.commands.demo`."""

import sys

from asr_server.commands.demo import main

if __name__ == "__main__":
    sys.exit(main())
