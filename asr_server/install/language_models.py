"""From what the user names to a language model beside a recogniser: find, convert, check, keep.

<store>/lm-<kind>/<name>/*                              kept
<repository>/<scoring>/1/language_model/*               in use, see asr_core.language_models
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from asr_core.language_models import (
    FOLDER,
    SETTINGS_FILE,
    LanguageModelSettings,
    TlgOptions,
    fingerprint,
    load_language_model,
    read_settings,
)
from asr_server.errors import InstallError
from asr_server.file_hashes import hash_file
from asr_server.install import hub
from asr_server.install.language_model_files import PATTERNS, LanguageModelSource, read_source
from asr_server.install.recogniser_tokens import tokens_of
from asr_server.install.store import link_or_copy, new_entry
from asr_server.models import VERSION, HubName
from asr_server.models.language_models import (
    NONE,
    RECOGNISERS,
    SCORING,
    language_model_repository,
    stored_kind,
)


@dataclass(frozen=True)
class LanguageModelOrder:
    """What to install, and for which recogniser.

    Attributes:
        source: a file, a directory, an id (owner/name) or a published name.
        kind: of the recogniser; None for the only one that it fits.
        repositories: of each kind of recogniser.
        store: keeps it under its name.
        hub: where to look for an id; None where it usually lies.
        revision: branch, tag or commit.
        name: in the store; None makes one from the source.
        weight, insertion_bonus: as in `LanguageModelSettings`.
        tlg: of a graph.
    """

    source: str
    kind: str | None
    repositories: dict[str, Path]
    store: Path
    hub: HubName | None = None
    revision: str | None = None
    name: str | None = None
    weight: float = 0.1
    insertion_bonus: float = 0.0
    tlg: TlgOptions = field(default_factory=TlgOptions)


def install_language_model(order: LanguageModelOrder, say: Callable[[str], None]) -> None:
    """Find a language model, convert it, prove that it fits the recogniser, keep it and use it.

    Args:
        order: which.
        say: takes lines for the user.

    Raises:
        InstallError: there is none, it is not what it should be, or it fits no recogniser.
    """
    path, origin = _locate(order, say)
    try:
        source = read_source(path)
        kind, tokens = _fitting(order, source)
        name = order.name or _name(order.source)
        if name == NONE:
            raise InstallError(f"expected a name other than {NONE!r}: it means no language model")
        settings = LanguageModelSettings(
            source.form,
            order.weight,
            order.insertion_bonus,
            order.tlg,
            fingerprint(tokens),
            {
                "kind": kind,
                "name": name,
                "source": origin,
                "source_sha256": {file.name: hash_file(file) for file in source.paths},
                "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            },
        )
        with new_entry(order.store, stored_kind(kind), name) as entry:
            source.write(entry)
            text = json.dumps(settings.as_dict(), indent=2, ensure_ascii=False)
            (entry / SETTINGS_FILE).write_text(text + "\n", encoding="utf-8")
            _prove(entry, tokens)
    except ValueError as error:
        raise InstallError(str(error)) from error
    use_language_model(order.store, order.repositories[kind], kind, name)
    say(f"{kind}: installed the language model {name} ({source.summary}); start the server anew")


def use_language_model(store: Path, repository: Path, kind: str, name: str) -> None:
    """Put a language model that is kept beside a recogniser; `none` takes away what is there.

    Raises:
        InstallError: there is no such language model, or no such recogniser, or the language model
            is for one with other tokens.
    """
    version = repository / SCORING[kind] / VERSION
    if not version.is_dir():
        raise InstallError(f"{repository}: expected the model {SCORING[kind]}, not found")
    with tempfile.TemporaryDirectory(dir=repository, prefix=".install-") as scratch:
        if name != NONE:
            entry = store / stored_kind(kind) / name
            if not (entry / SETTINGS_FILE).is_file():
                known = ", ".join(kept_names(store, kind)) or "none"
                raise InstallError(
                    f"{store}: no language model {name} for {kind}; there are: {known}"
                )
            if read_settings(entry).made_for != fingerprint(tokens_of(kind, repository)):
                raise InstallError(
                    f"{entry}: expected a language model for the tokens of the {kind} model that "
                    f"is installed in {repository}, got one for others"
                )
            for file in sorted(entry.iterdir()):
                link_or_copy(file, Path(scratch) / "arriving" / file.name)
        target = version / FOLDER
        if target.exists():
            target.rename(Path(scratch) / "leaving")
        if name != NONE:
            os.replace(Path(scratch) / "arriving", target)


def kept_names(store: Path, kind: str) -> list[str]:
    """Return the names of the language models that are kept for a recogniser."""
    paths = sorted((store / stored_kind(kind)).glob(f"*/{SETTINGS_FILE}"))
    return [path.parent.name for path in paths if not path.parent.name.startswith(".")]


def read_kept(entry: Path) -> dict[str, Any]:
    """Return what is recorded of a language model that is kept; nothing of a broken one."""
    try:
        return read_settings(entry).as_dict()
    except (OSError, ValueError):
        return {}


def language_model_in_use(repository: Path, kind: str) -> dict[str, Any] | None:
    """Return what is recorded of the language model beside a recogniser, None without one."""
    folder = repository / SCORING[kind] / VERSION / FOLDER
    return read_settings(folder).as_dict() if (folder / SETTINGS_FILE).is_file() else None


def _locate(order: LanguageModelOrder, say: Callable[[str], None]) -> tuple[Path, dict[str, str]]:
    """Return the file or directory, downloaded where needed, and where it comes from."""
    path = Path(order.source)
    if path.exists():
        return path, {"path": str(path.resolve())}
    repository = language_model_repository(order.source)
    if repository is None:
        raise InstallError(
            f"{order.source}: no such file or directory, and not an id (owner/name) or the name "
            "of a published language model"
        )
    hub_name = order.hub or "modelscope"
    say(f"{repository} from {hub_name}")
    snapshot = hub.download(hub_name, repository, PATTERNS, order.revision)
    origin = {"hub": hub_name, "repository": repository, "revision": snapshot.revision}
    return snapshot.directory, origin


def _fitting(order: LanguageModelOrder, source: LanguageModelSource) -> tuple[str, list[str]]:
    """Return the recogniser that a language model is for, and its tokens."""
    if order.kind is not None:
        tokens = tokens_of(order.kind, order.repositories[order.kind])
        source.check(order.kind, tokens)
        return order.kind, tokens
    found: dict[str, list[str]] = {}
    problems = []
    for kind in RECOGNISERS:
        try:
            tokens = tokens_of(kind, order.repositories[kind])
            source.check(kind, tokens)
        except (InstallError, ValueError) as error:
            problems.append(f"{kind}: {error}")
        else:
            found[kind] = tokens
    if not found:
        raise InstallError(f"{order.source}: fits no recogniser here; {'; '.join(problems)}")
    if len(found) > 1:
        raise InstallError(f"{order.source}: fits {' and '.join(found)}; say which with --for")
    return next(iter(found.items()))


def _prove(entry: Path, tokens: Sequence[str]) -> None:
    """Load what was written as the server will."""
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / FOLDER).symlink_to(entry.resolve())
        if load_language_model(Path(scratch), tokens) is None:
            raise InstallError(f"{entry}: was not written")


def _name(source: str) -> str:
    path = Path(source)
    if not path.exists():
        return source.replace("/", "--")
    name = path.resolve().name
    for ending in (".gz", ".arpa", ".klm", ".bin", ".binary", ".lm"):
        name = name.removesuffix(ending)
    return name
