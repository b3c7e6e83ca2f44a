"""What Triton tells a model that is being initialised, read in one place."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


class Parameters:
    """A model's own parameters, its instance's device, and what else of its configuration counts.

    Parameters are text in `config.pbtxt`: whoever edits one is told what it should have been.

    Args:
        args: the argument of `TritonPythonModel.initialize`.

    Attributes:
        model_name: as Triton serves it.
        max_batch_size: of the model's configuration.
        instances: of the model on this server, on all devices.
        device: where the instance is to compute: "cpu", or a torch device such as "cuda:0".
    """

    def __init__(self, args: Mapping[str, str]) -> None:
        config: dict[str, Any] = json.loads(args["model_config"])
        on_gpu = args["model_instance_kind"] == "GPU"
        self.model_name = args["model_name"]
        self.max_batch_size = int(config["max_batch_size"])
        self.instances = sum(
            int(group["count"]) * max(1, len(group.get("gpus") or []))
            for group in config.get("instance_group", [])
        )
        self.device = f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu"
        self._texts: dict[str, str] = {
            name: value["string_value"] for name, value in config.get("parameters", {}).items()
        }
        self._sequences: Mapping[str, Any] | None = config.get("sequence_batching")

    @property
    def on_gpu(self) -> bool:
        """Whether the instance is one on a GPU."""
        return self.device != "cpu"

    @property
    def sequence_idle_s(self) -> float:
        """Seconds without a request after which Triton forgets a sequence.

        Raises:
            ValueError: the model has no sequences.
        """
        if self._sequences is None:
            raise ValueError(f"{self.model_name}: expected sequence_batching, got none")
        return int(self._sequences["max_sequence_idle_microseconds"]) / 1e6

    def integer(self, name: str) -> int:
        """Return a parameter that is a whole number, 0 or more.

        Raises:
            ValueError: it is missing or something else.
        """
        text = self.text(name)
        if not (text.isascii() and text.isdigit()):
            raise self._unexpected(name, f"a whole number, 0 or more; got {text!r}")
        return int(text)

    def number(self, name: str) -> float:
        """Return a parameter that is a number, 0 or more.

        Raises:
            ValueError: it is missing or something else.
        """
        text = self.text(name)
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 <= number < math.inf:
            raise self._unexpected(name, f"a number, 0 or more; got {text!r}")
        return number

    def text(self, name: str) -> str:
        """Return a parameter.

        Raises:
            ValueError: it is missing.
        """
        if name not in self._texts:
            known = ", ".join(sorted(self._texts)) or "no parameters"
            raise self._unexpected(name, f"a value; got {known}")
        return self._texts[name].strip()

    def _unexpected(self, name: str, what: str) -> ValueError:
        return ValueError(f"{self.model_name}, parameter {name}: expected {what}")
