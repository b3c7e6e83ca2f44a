"""The language model that is installed beside a recogniser, whatever its form.

<version's folder>/language_model/language_model.json    its form, how much it counts, its source
<version's folder>/language_model/*                      its files
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from asr_contract.text_files import read_json
from asr_core.language_models.automaton import NgramModel
from asr_core.language_models.kenlm_model import KenlmModel
from asr_core.language_models.ngrams import fingerprint
from asr_core.language_models.tlg import GRAPH_FILE, TlgDecoder, TlgOptions

FOLDER = "language_model"
SETTINGS_FILE = "language_model.json"
KENLM_FILE = "model.klm"

_MADE_FOR = "tokens_sha256"

Form = Literal["ngram", "kenlm", "tlg"]


@dataclass(frozen=True)
class LanguageModelSettings:
    """What is recorded of an installed language model.

    Attributes:
        form: of its files: ours of an ARPA file, KenLM's binary, FunASR's graph.
        weight: of its log-probabilities beside the recogniser's; not of a graph.
        insertion_bonus: added for each token; not of a graph.
        tlg: of a graph.
        made_for: `fingerprint` of the recogniser's tokens.
        about: its name, source and date, for people.
    """

    form: Form
    weight: float
    insertion_bonus: float
    tlg: TlgOptions
    made_for: str
    about: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return what is written to `language_model.json`."""
        weighed: dict[str, Any] = {"weight": self.weight, "insertion_bonus": self.insertion_bonus}
        if self.form == "tlg":
            weighed = {"am_scale": self.tlg.am_scale, "global_beam": self.tlg.global_beam}
        return {"form": self.form, **weighed, _MADE_FOR: self.made_for, **self.about}


@dataclass(frozen=True)
class InstalledLanguageModel:
    """A language model that is ready to be asked; exactly one of the two is there.

    Attributes:
        settings: how much it counts.
        scores: tokens one after the other, an `asr_core.decoding.LanguageModel`.
        search: all candidates of a recording, an `asr_core.decoding.RowSearch`.
    """

    settings: LanguageModelSettings
    scores: NgramModel | KenlmModel | None
    search: TlgDecoder | None


def load_language_model(model_dir: Path, tokens: Sequence[str]) -> InstalledLanguageModel | None:
    """Load what is installed beside a recogniser; None where nothing is.

    Args:
        model_dir: a version's folder.
        tokens: the recogniser's vocabulary, id to token.

    Raises:
        OSError: a file is missing.
        ValueError: one is not what it should be, or a package that reads it is not installed.
    """
    folder = model_dir / FOLDER
    if not (folder / SETTINGS_FILE).is_file():
        return None
    settings = read_settings(folder)
    if settings.made_for != (own := fingerprint(tokens)):
        raise ValueError(
            f"{folder}: expected a language model for this recogniser's {len(tokens)} tokens "
            f"(sha256 {own[:12]}), got one for others ({settings.made_for[:12]}); "
            "install lm installs it again"
        )
    if settings.form == "ngram":
        return InstalledLanguageModel(settings, NgramModel(folder, tokens), None)
    if settings.form == "kenlm":
        return InstalledLanguageModel(settings, KenlmModel(folder / KENLM_FILE, tokens), None)
    search = TlgDecoder(folder / GRAPH_FILE, len(tokens), settings.tlg)
    return InstalledLanguageModel(settings, None, search)


def read_settings(folder: Path) -> LanguageModelSettings:
    """Read `language_model.json`.

    Raises:
        OSError: there is none.
        ValueError: it is not what it should be.
    """
    path = folder / SETTINGS_FILE
    values = read_json(path)
    if not isinstance(values, dict) or values.get("form") not in get_args(Form):
        raise ValueError(f"{path}: expected the form {' or '.join(get_args(Form))}, got {values}")
    usual = TlgOptions()
    return LanguageModelSettings(
        cast(Form, values.pop("form")),
        _number(path, values.pop("weight", 0.0)),
        _number(path, values.pop("insertion_bonus", 0.0)),
        TlgOptions(
            _number(path, values.pop("am_scale", usual.am_scale)),
            _number(path, values.pop("global_beam", usual.global_beam)),
        ),
        str(values.pop(_MADE_FOR, "nothing")),
        values,
    )


def _number(path: Path, value: object) -> float:
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    raise ValueError(f"{path}: expected a number, got {value!r}")
