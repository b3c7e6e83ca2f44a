"""Known speakers: a name and recordings of each, by which their voices are found again."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from asr_contract import read_text
from asr_contract.bounded_json import parse_json

from .audio import MediaSource, Pcm
from .errors import OptionError
from .speaker_count import MAX_SPEAKERS

KNOWN_COSINE = 0.5
"""How alike a found and a known voice must be by default, as the cosine of their embeddings."""

MAX_RECORDINGS = 20
MAX_NAME = 100
_FOUND = re.compile(r"S[0-9]+")  # what speakers are called who are not known

Recordings: TypeAlias = "MediaSource | Pcm | Sequence[MediaSource | Pcm]"


class KnownSpeakers:
    """Names, recordings of each, and how alike a voice must be.

    The voices are asked of the server at the first use and kept with the object, so that one for
    many files asks once. After another speaker model was installed, make another.

    Args:
        recordings: name → one recording, or several, as `Client.transcribe_file` takes them: of
            this speaker alone, with 2 s of speech at least.
        threshold: the least cosine, 0 to 1.

    Raises:
        OptionError: a name, a recording or the threshold makes no sense.
    """

    def __init__(
        self, recordings: Mapping[str, Recordings], threshold: float = KNOWN_COSINE
    ) -> None:
        if not isinstance(recordings, Mapping) or not 1 <= len(recordings) <= MAX_SPEAKERS:
            got = len(recordings) if isinstance(recordings, Mapping) else repr(recordings)[:80]
            raise OptionError(f"known speakers: expected 1 to {MAX_SPEAKERS} names; got {got}")
        is_number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
        if not is_number or not 0 <= threshold <= 1:
            raise OptionError(
                f"known speakers: threshold: expected a cosine from 0 to 1; got {threshold!r}"
            )
        self.threshold = float(threshold)
        self.recordings = {
            _checked_name(name): _checked_recordings(name, own) for name, own in recordings.items()
        }
        self.voices: dict[str, NDArray[np.float32]] = {}
        """float32 [K, D], of length one each, of the server with this URL."""

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> KnownSpeakers:
        """Read a file: `{"speakers": {"Li Wei": ["li_wei.wav"], …}, "threshold": 0.5}`.

        Recordings are paths from the file's own folder; the threshold may be left out.

        Raises:
            OptionError: it cannot be read, or makes no sense.
        """
        where = str(path)
        try:
            content = parse_json(read_text(path), names_once=True)
        except OSError as error:
            raise OptionError(f"{where}: cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise OptionError(f"{where}: expected JSON ({error})") from None
        speakers = content.get("speakers") if isinstance(content, dict) else None
        if not isinstance(speakers, dict) or set(content) - {"speakers", "threshold"}:
            raise OptionError(
                f'{where}: expected {{"speakers": {{name: [recordings]}}, "threshold": cosine}}; '
                f"got {json.dumps(content, ensure_ascii=False)[:80]}"
            )
        folder = Path(path).resolve().parent
        try:
            found = {name: _paths(name, own, folder) for name, own in speakers.items()}
            return cls(found, content.get("threshold", KNOWN_COSINE))
        except OptionError as error:
            raise OptionError(f"{where}: {error}") from None

    @property
    def names(self) -> list[str]:
        """Who is known."""
        return list(self.recordings)

    @property
    def paths(self) -> list[str]:
        """The recordings that are files."""
        own = (each for recordings in self.recordings.values() for each in recordings)
        return [str(each) for each in own if isinstance(each, (str, os.PathLike))]


KnownSpeakersInput: TypeAlias = (
    "KnownSpeakers | Mapping[str, Recordings] | str | os.PathLike[str] | None"
)


def known_speakers_of(known: KnownSpeakersInput) -> KnownSpeakers | None:
    """Return who is known: read from a file where it is a path.

    Raises:
        OptionError: it makes no sense.
    """
    if known is None or isinstance(known, KnownSpeakers):
        return known
    if isinstance(known, (str, os.PathLike)):
        return KnownSpeakers.read(known)
    return KnownSpeakers(known)


def _checked_name(name: Any) -> str:
    is_name = isinstance(name, str) and 0 < len(name) <= MAX_NAME and name.isprintable()
    if not is_name or name != name.strip():
        raise OptionError(
            f"known speakers: expected names of 1 to {MAX_NAME} characters in one line; got "
            f"{name!r:.120}"
        )
    if _FOUND.fullmatch(name):
        raise OptionError(
            f"known speakers: expected names other than S1, S2 …, which are those of speakers who "
            f"are not known; got {name!r}"
        )
    return str(name)


def _checked_recordings(name: str, own: Recordings) -> list[MediaSource | Pcm]:
    found: list[Any] = [own]
    if isinstance(own, Sequence) and not isinstance(own, (str, bytes, bytearray)):
        found = list(own)
    if not 1 <= len(found) <= MAX_RECORDINGS:
        raise OptionError(
            f"known speakers: {name!r}: expected 1 to {MAX_RECORDINGS} recordings; got {len(found)}"
        )
    for each in found:
        if isinstance(each, (str, os.PathLike)) and not os.path.isfile(each):
            raise OptionError(f"known speakers: {name!r}: no recording {str(each)!r}")
    return found


def _paths(name: str, own: Any, folder: Path) -> list[MediaSource | Pcm]:
    """Return the paths of a name in a file."""
    texts = [own] if isinstance(own, str) else own
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise OptionError(
            f"known speakers: {name!r}: expected a recording's path, or a list of them; got "
            f"{json.dumps(own, ensure_ascii=False)[:80]}"
        )
    return [folder / text for text in texts]
