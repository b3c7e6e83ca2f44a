"""Exports random-weight models with FunASR's own classes, for parity tests and benchmarks.

They cost what the published models cost and say nothing sensible. Needs the `export` extra.

    python -m scripts.export_random_models paraformer sensevoice --size full
    python -m scripts.export_random_models bicif_paraformer --size tiny --seed 1 --quantize

With `--torch` they also hold what FunASR's `AutoModel` loads, with the same weights.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import get_args

from lab.random_models.architecture import Kind, SizeName

CACHE = Path(".cache/random_models")


def main(arguments: list[str] | None = None) -> None:
    """Export each kind named on the command line into `<directory>/<kind>-<size>-seed<k>`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="+", choices=get_args(Kind), metavar="KIND",
                        help=f"one or more of {', '.join(get_args(Kind))}")  # fmt: skip
    parser.add_argument("--size", choices=get_args(SizeName), default="tiny")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quantize", action="store_true", help="also write model_quant.onnx")
    parser.add_argument("--torch", action="store_true", help="also write model.pt")
    parser.add_argument("--directory", type=Path, default=CACHE, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads, default %(default)s")
    options = parser.parse_args(arguments)

    import torch  # after the arguments are checked: it takes seconds

    from lab.random_models.export import export_random_model

    torch.set_num_threads(options.threads)
    for kind in options.kinds:
        started = time.perf_counter()
        target = options.directory / f"{kind}-{options.size}-seed{options.seed}"
        export_random_model(
            kind, options.size, options.seed, target, options.quantize, options.torch
        )
        size = sum(path.stat().st_size for path in target.iterdir()) / 1e6
        print(f"{target}: {size:.1f} MB in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
