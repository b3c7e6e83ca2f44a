"""Reads the weights of a committed ONNX export back into PyTorch, so that training can go on.

    python -m lab.training.recover_weights sensevoice --output .cache/embedded/sensevoice_committed
    python -m lab.training.recover_weights paraformer_online \
        --output .cache/embedded/streaming_committed

A model of the same configuration with weights that are all different is exported in the same way:
where one of its weights lies in that graph, the committed one lies in the committed graph.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from .export import export_onnx
from .models import build_model, sensevoice_config, streaming_config

Array = NDArray[Any]
ONLY_IN_TRAINING = ("decoder.embed.0.weight",)
"""In no export: what Paraformer's sampler puts in place of what was heard."""
_COMPANIONS = ("am.mvn", "tokens.json", "chn_jpn_yue_eng_ko_spectok.bpe.model")


def weights_in_order(path: Path) -> list[Array]:
    """Returns a graph's initialisers in the order in which its nodes first read them."""
    graph = onnx.load(path).graph
    arrays = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    read = dict.fromkeys(name for node in graph.node for name in node.input if name in arrays)
    return [arrays[name] for name in read]


def recover(model: Any, config: dict[str, Any], committed: Path) -> dict[str, torch.Tensor]:
    """Returns the committed export's weights under the names of `model`, whose own are lost.

    Raises:
        ValueError: the graphs differ, or a weight that recognition needs is in neither.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    wanted = {name: weight.numpy().copy() for name, weight in model.state_dict().items()}
    found: dict[str, torch.Tensor] = {}
    with tempfile.TemporaryDirectory() as scratch:
        export_onnx(model, config, Path(scratch))
        for known in sorted(Path(scratch).glob("*.onnx")):
            known_weights = weights_in_order(known)
            lost_weights = weights_in_order(committed / known.name)
            if [w.shape for w in known_weights] != [w.shape for w in lost_weights]:
                raise ValueError(f"{committed / known.name}: expected a graph like {known.name}")
            for mine, theirs in zip(known_weights, lost_weights, strict=True):
                for name, weight in wanted.items():
                    if weight.shape == mine.shape and np.array_equal(weight, mine):
                        found[name] = torch.from_numpy(theirs.copy())
                    elif weight.shape == mine.T.shape and np.array_equal(weight, mine.T):
                        found[name] = torch.from_numpy(theirs.T.copy())
    if missing := sorted(wanted.keys() - found.keys() - {*ONLY_IN_TRAINING}):
        raise ValueError(f"{committed}: expected all weights; not found: {', '.join(missing)}")
    return found


def only_in_training(offline: Path, tokens: list[str]) -> dict[str, torch.Tensor]:
    """Returns what no export has, of the offline Paraformer that the streaming one began as.

    Raises:
        ValueError: the offline one has other tokens.
    """
    if json.loads((offline / "tokens.json").read_text(encoding="utf-8")) != tokens:
        raise ValueError(f"{offline / 'tokens.json'}: expected the streaming model's tokens")
    weights = torch.load(offline / "model.pt", weights_only=True)
    return {name: weights[name].float() for name in ONLY_IN_TRAINING}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", choices=("sensevoice", "paraformer_online"))
    parser.add_argument("--committed", type=Path, default=Path("embedded_models"))
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    committed: Path = arguments.committed / arguments.model
    config = sensevoice_config() if arguments.model == "sensevoice" else streaming_config()
    tokens = json.loads((committed / "tokens.json").read_text(encoding="utf-8"))
    model = build_model(config, len(tokens))
    weights = recover(model, config, committed)
    if arguments.model == "paraformer_online":
        weights |= only_in_training(arguments.committed / "paraformer", tokens)
    arguments.output.mkdir(parents=True, exist_ok=True)
    torch.save(weights, arguments.output / "average.pt")
    for name in _COMPANIONS:
        if (committed / name).exists():
            shutil.copyfile(committed / name, arguments.output / name)
    print(f"{arguments.model}: {len(weights)} tensors")


if __name__ == "__main__":
    main()
