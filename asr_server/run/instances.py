"""How many processes the parts around the encoders get here, written where Triton reads it.

A model's `instance_group` has no count "as many as there are cores". So the served repository is a
folder of links to the real one, but for the configurations whose count is left to serving: those
with the remark `# serve` behind their `instance_group`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from asr_server.models.config_blocks import CONFIG

_LEFT_TO_SERVING = re.compile(r"^(instance_group \[ \{ count: )\d+(.*# serve)$", re.MULTILINE)
_SEARCH, _FRONT_END = "streaming_cif_search", "streaming_feature_extractor"
_CORES_OF_ONE = 8  # on a CPU encoder and decoder fill so many before one of these is busy
# Of the recognisers of whole recordings, which keep a CPU's encoder busy with one process each.
_OFFLINE_FRONT_ENDS = ("sensevoice_feature_extractor", "paraformer_feature_extractor")
_SCORINGS = ("sensevoice_scoring", "paraformer_scoring")


def count_instances(cores: int, gpus: int) -> dict[str, int]:
    """Return the processes of the models that may have several.

    Beside GPUs the cores are theirs and Triton's own, which needs about as many. On a CPU the cores
    are the encoder's, and one process of each keeps up with what some cores can encode.

    Args:
        cores: to use.
        gpus: that Triton sees; of a model on GPUs each has so many instances as its count says.
    """
    if gpus:
        share, half = max(1, cores // 4), max(1, cores // 8)
        return {
            _SEARCH: max(1, share // gpus),
            _FRONT_END: max(2, share),
            **dict.fromkeys(_OFFLINE_FRONT_ENDS, max(1, half // gpus)),
            **dict.fromkeys(_SCORINGS, half),
        }
    share = cores // _CORES_OF_ONE
    return {_SEARCH: max(1, share), _FRONT_END: max(2, share)}


def with_instances(
    repositories: Sequence[Path], counts: Mapping[str, int], folder: Path
) -> list[Path]:
    """Return the repositories to serve; those with a model that gets a count are links in `folder`.

    Args:
        repositories: folders of models.
        counts: instances by model.
        folder: for the links; removed by the caller.
    """
    return [
        _linked(path, counts, folder / f"{index}-{path.name}")
        if any(_LEFT_TO_SERVING.search(_config(path / model)) for model in counts)
        else path
        for index, path in enumerate(repositories)
    ]


def _config(model: Path) -> str:
    path = model / CONFIG
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _linked(repository: Path, counts: Mapping[str, int], target: Path) -> Path:
    target.mkdir(parents=True)
    for model in repository.iterdir():
        text = _config(model)
        if model.name not in counts or not _LEFT_TO_SERVING.search(text):
            (target / model.name).symlink_to(model)
            continue
        (target / model.name).mkdir()
        for entry in model.iterdir():
            if entry.name != CONFIG:
                (target / model.name / entry.name).symlink_to(entry)
        written = _LEFT_TO_SERVING.sub(rf"\g<1>{counts[model.name]}\g<2>", text)
        (target / model.name / CONFIG).write_text(written, encoding="utf-8")
    return target
