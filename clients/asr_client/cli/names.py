"""Names of recordings: as they are printed, as ids, and as the names of their results.

A name may hold any bytes but "/" and zero, be as long as a name may be, and be shared by recordings
of other folders or other containers.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

LONGEST_NAME = 255  # bytes; the limit of Linux's, macOS's and Windows' file systems
_DIGITS = 8  # of a hash: enough to tell the recordings of a batch apart


def printable(name: str) -> str:
    """Return a name with control characters escaped, so that it stays on its line.

    What is not UTF-8 in it (Python's surrogates) stays, and is printed as the bytes it was.
    """
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in ("Cc", "Zl", "Zp")
        else character
        for character in name
    )


def shortened(name: str, suffix: str) -> str:
    """Return `name` + `suffix`, cut to what a file system takes, with a hash of what was cut."""
    longest = LONGEST_NAME - len(os.fsencode(suffix))
    encoded = os.fsencode(name)
    if len(encoded) <= longest:
        return name + suffix
    room = longest - _DIGITS - 1
    kept = ""
    for character in name:
        room -= len(os.fsencode(character))
        if room < 0:
            break
        kept += character
    return f"{kept}-{_hash(encoded)}{suffix}"


def distinct(paths: Sequence[str], names: Sequence[Sequence[str]]) -> list[str]:
    """Choose a name for each recording, so that two of different paths differ.

    Args:
        paths: of the recordings.
        names: for each the names that it may have, the best first; behind the last comes the
            last with a hash of the path.

    Returns:
        The first name of each that no other has; who shares one takes the next, all of them.
    """
    choices = [
        [*options, f"{options[-1]}-{_hash(os.fsencode(os.path.abspath(path)))}"]
        for path, options in zip(paths, names, strict=True)
    ]
    level = [0] * len(paths)
    while True:
        users: defaultdict[str, list[int]] = defaultdict(list)
        for index, options in enumerate(choices):
            users[options[level[index]]].append(index)
        shared = [
            index
            for indices in users.values()
            if len({paths[index] for index in indices}) > 1
            for index in indices
            if level[index] + 1 < len(choices[index])
        ]
        if not shared:
            return [options[level[index]] for index, options in enumerate(choices)]
        for index in shared:
            level[index] += 1


def id_of(name: str) -> str:
    """Return a Kaldi id made of a file's name; in Kaldi's files an id ends at the first space."""
    return printable("_".join(name.split()))


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGITS]
