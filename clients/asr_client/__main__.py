"""`python -m asr_client`, which is `triton-asr`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
