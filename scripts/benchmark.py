"""Measures the server against its peers; see `lab.benchmark`."""

import sys

from lab.benchmark.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
