"""Makes shards of the clips without speech to which the embedded Paraformers give text.

    python -m lab.training.mine_nonspeech paraformer --first-shard 70000 --shards 70006

One clip in a hundred does: a training that draws clips at random learns little from them. Each is
in the shard several times, with some of those that are heard rightly. Every shard has a seed of its
own, which the held-out clips have not.
"""

from __future__ import annotations

import argparse
import zlib
from collections import Counter
from pathlib import Path

import numpy as np

from asr_core.features import KaldiNativeFbank

from .evaluate_nonspeech import Hearing, hearings
from .nonspeech import KINDS, nonspeech_clip
from .synthesis import NONSPEECH_RECORD, ShardWriter

MODELS = ("paraformer", "paraformer_online")
COPIES = 4
OTHERS = 0.075
"""Share of the clips that are heard rightly and kept."""


def mine(number: int, clips: int, heard_by: Hearing, directory: Path) -> Counter[str]:
    """Write a shard; return how many clips of each kind give text.

    Args:
        number: of the shard, its seed.
        clips: how many are tried, of all kinds in turn.
        heard_by: the recogniser.
        directory: of the shards.
    """
    rng = np.random.default_rng(zlib.crc32(f"nonspeech {number}".encode()))
    extract, shard = KaldiNativeFbank(), ShardWriter(directory / f"zh_{number:05d}")
    found: Counter[str] = Counter()
    kinds = list(KINDS)
    for index in range(clips):
        kind = kinds[index % len(kinds)]
        clip = nonspeech_clip(rng, kind)
        is_hard = bool(heard_by.words(clip))
        found[kind] += is_hard
        for _ in range(COPIES if is_hard else int(rng.random() < OTHERS)):
            shard.add(extract(clip), NONSPEECH_RECORD)
    shard.write()
    return +found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--models", type=Path, default=Path("embedded_models"))
    parser.add_argument("--first-shard", type=int, default=70000)
    parser.add_argument("--shards", type=int, default=70006)
    parser.add_argument("--clips", type=int, default=1800, help="tried for each shard")
    parser.add_argument("--directory", type=Path, default=Path(".cache/embedded/shards"))
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    heard_by = hearings(arguments.models)[arguments.model]
    for number in range(arguments.first_shard, arguments.shards):
        found = mine(number, arguments.clips, heard_by, arguments.directory)
        print(f"shard {number}: {found.total()} of {arguments.clips}, {dict(found)}", flush=True)


if __name__ == "__main__":
    main()
