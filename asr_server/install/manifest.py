"""What is recorded of an installed model: where it is from, and what is known of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from asr_contract.text_files import read_json
from asr_server.file_hashes import hash_file
from asr_server.graphs import Report
from asr_server.install.agreement import Agreement
from asr_server.install.layout import ModelFiles
from asr_server.install.locate import Located
from asr_server.install.precision import Choice, PrecisionReport
from asr_server.install.reading import SpeechProof
from asr_server.models import MANIFEST, VERSION, ModelKind


@dataclass(frozen=True)
class Verification:
    """What is known of an installed model.

    Attributes:
        agreement: with `funasr_onnx` on the same files, None where it was not compared.
        speech: how it read recordings whose text is known, None where there was none.
    """

    agreement: Agreement | None
    speech: SpeechProof | None


@dataclass(frozen=True)
class Made:
    """The graphs of a model for one device.

    Attributes:
        choice: their precision.
        reports: of their preparation.
        cost: of the precision, None where nothing was converted.
        verification: what is known of them.
    """

    choice: Choice
    reports: Sequence[Report]
    cost: PrecisionReport | None
    verification: Verification

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        found, speech = self.verification.agreement, self.verification.speech
        return {
            "precision": self.choice.precision,
            "recipe": self.choice.recipe,
            "precision_report": None if self.cost is None else self.cost.as_dict(),
            "funasr_onnx_agreement": None if found is None else asdict(found),
            "proved_by_speech": None if speech is None else speech.as_dict(),
        }


def write_manifests(
    kind: ModelKind,
    entry: Path,
    name: str,
    located: Located,
    files: ModelFiles,
    made: Made,
    on_cpu: Made | None,
) -> None:
    """Record in each graph's folder what was installed and how it was verified.

    Args:
        kind: of the model.
        entry: of the store.
        name: the entry's.
        located: where it is from.
        files: that it was made of.
        made: what was ordered, for a GPU where `on_cpu` is given.
        on_cpu: what lies beside it for the CPU.
    """
    common: dict[str, Any] = {
        "kind": kind.name,
        "name": name,
        "source": located.origin,
        **made.as_dict(),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "source_sha256": {file: hash_file(path) for file, path in files.originals.items()},
        "installed_sha256": {
            path.relative_to(entry).as_posix(): hash_file(path)
            for path in sorted(entry.rglob("*"))
            if path.is_file() and path.name != MANIFEST
        },
    }
    if on_cpu is not None:
        common["beside_it_for_the_cpu"] = on_cpu.as_dict()
    for index, graph in enumerate(kind.graphs):
        path = entry / graph.model / VERSION / MANIFEST
        prepared = read_json(path)
        if on_cpu is not None:
            prepared["preparation_for_gpu"] = asdict(made.reports[index])
        text = json.dumps({**prepared, **common}, indent=2, ensure_ascii=False, default=str)
        path.write_text(text + "\n", encoding="utf-8")
