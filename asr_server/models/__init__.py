"""Which models are served: their kinds, their published names, their repositories.

Nothing here needs more than Python itself, so that a command line can be read, and explained,
before anything large is imported.
"""

from asr_server.models.home import set_up_home
from asr_server.models.kinds import KINDS, ExportedGraph, ModelKind
from asr_server.models.names import (
    DEFAULT_RECIPE,
    EMBEDDED_NAME,
    ConvertedPrecision,
    Device,
    ExportedPrecision,
    GraphKindChoice,
    HubName,
    Int8Recipe,
    OnnxRuntime,
    RecipeChoice,
    ServedPrecision,
    prepared_format,
)
from asr_server.models.published import PUBLISHED_MODELS
from asr_server.models.repositories import (
    MANIFEST,
    VERSION,
    copy_repository,
    default_repositories,
    empty_kinds,
    is_installed,
    lacking_files,
    missing_kinds,
    models_of,
    models_without,
    outdated_kinds,
    version_folder,
)

__all__ = [
    "DEFAULT_RECIPE",
    "EMBEDDED_NAME",
    "KINDS",
    "MANIFEST",
    "PUBLISHED_MODELS",
    "VERSION",
    "ConvertedPrecision",
    "Device",
    "ExportedGraph",
    "ExportedPrecision",
    "GraphKindChoice",
    "HubName",
    "Int8Recipe",
    "ModelKind",
    "OnnxRuntime",
    "RecipeChoice",
    "ServedPrecision",
    "copy_repository",
    "default_repositories",
    "empty_kinds",
    "is_installed",
    "lacking_files",
    "missing_kinds",
    "models_of",
    "models_without",
    "outdated_kinds",
    "prepared_format",
    "set_up_home",
    "version_folder",
]
