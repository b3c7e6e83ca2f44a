"""Fine-tunes a model on a Kaldi data folder; see `lab.finetune`."""

import sys

from lab.finetune import main

if __name__ == "__main__":
    sys.exit(main())
