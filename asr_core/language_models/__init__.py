"""What is known of a language besides the audio: n-gram models, and FunASR's graphs.

    text ─ estimate ─┐
                     ├─ Ngrams ─ save_ngrams ─ folder ─ load_language_model ─ scores of tokens
    ARPA ─ read_arpa ┘                           │
    KenLM's binary, TLG.fst ─────────────────────┘──────────────────────── or a search

`ngrams` is the form in memory, `automaton` the one that all processes share. `tlg` needs packages
(`pip install "triton-asr[lm]"`), `kenlm_model` KenLM's library (`pip install kenlm`), the rest
nothing but NumPy.
"""

from asr_core.language_models.arpa import read_arpa, write_arpa
from asr_core.language_models.automaton import NgramModel, save_ngrams
from asr_core.language_models.estimation import MAX_ORDER, estimate
from asr_core.language_models.kenlm_model import MAGIC as KENLM_MAGIC
from asr_core.language_models.kenlm_model import KenlmModel
from asr_core.language_models.loading import (
    FOLDER,
    KENLM_FILE,
    SETTINGS_FILE,
    Form,
    InstalledLanguageModel,
    LanguageModelSettings,
    load_language_model,
    read_settings,
)
from asr_core.language_models.ngrams import END, START, UNKNOWN, Ngrams, fingerprint
from asr_core.language_models.tlg import (
    GRAPH_FILE,
    TlgDecoder,
    TlgOptions,
    dense,
    floors,
    import_kaldi,
    read_graph,
)

__all__ = [
    "END",
    "FOLDER",
    "GRAPH_FILE",
    "KENLM_FILE",
    "KENLM_MAGIC",
    "MAX_ORDER",
    "SETTINGS_FILE",
    "START",
    "UNKNOWN",
    "Form",
    "InstalledLanguageModel",
    "KenlmModel",
    "LanguageModelSettings",
    "NgramModel",
    "Ngrams",
    "TlgDecoder",
    "TlgOptions",
    "dense",
    "estimate",
    "fingerprint",
    "floors",
    "import_kaldi",
    "load_language_model",
    "read_arpa",
    "read_graph",
    "read_settings",
    "save_ngrams",
    "write_arpa",
]
