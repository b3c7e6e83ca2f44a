"""Gets a model's files from a hub through the hub's own package, whole and checked.

The packages keep what they download in their own caches, which FunASR shares: a model that its
`AutoModel` has fetched is not fetched again. `MODELSCOPE_ENDPOINT` (or `MODELSCOPE_DOMAIN`) and
`HF_ENDPOINT` name other servers, `MODELSCOPE_CACHE` and `HF_HOME` other folders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asr_server.errors import DownloadError, HubUnreachableError
from asr_server.extras import install_line
from asr_server.install import huggingface, modelscope
from asr_server.models import HubName

_DOWNLOADS = {"modelscope": modelscope.download, "huggingface": huggingface.download}
_LISTINGS = {"modelscope": modelscope.list_files, "huggingface": huggingface.list_files}


@dataclass(frozen=True)
class Snapshot:
    """Files of a repository on this machine.

    Attributes:
        directory: where they lie.
        hub, repository: where they come from.
        revision: the commit where the hub names one, else the branch or tag asked for.
    """

    directory: Path
    hub: HubName
    repository: str
    revision: str


def download(
    hub: HubName, repository: str, patterns: Sequence[str], revision: str | None
) -> Snapshot:
    """Download the files of a repository that match one of the patterns.

    What an earlier call left unfinished is continued. Finished files are checked against the
    hashes that the hub lists.

    Args:
        hub: which.
        repository: owner/name.
        patterns: shell patterns of file names.
        revision: branch, tag or commit; the default branch if None.

    Raises:
        HubUnreachableError: no connection, and no copy in the cache.
        DownloadError: no such repository, or its files are not what the hub lists.
    """
    try:
        directory, found = _DOWNLOADS[hub](repository, patterns, revision)
    except HubUnreachableError as error:
        raise HubUnreachableError(
            f"{error}\nWithout a network: download {repository} on another machine, copy its "
            "directory here, and install it with --from DIRECTORY."
        ) from error
    except ImportError as error:
        raise DownloadError(
            f"{error.name or error}: not installed; needed to download from {hub}. "
            f"Install it with: {install_line('hub')}"
        ) from error
    return Snapshot(directory, hub, repository, found)


def list_files(hub: HubName, repository: str, revision: str | None) -> set[str]:
    """Return the paths of a repository's files; none where the hub cannot be asked."""
    try:
        return set(_LISTINGS[hub](repository, revision))
    except Exception:  # only says what else there is; the download has said what is wrong
        return set()
