"""What the graph takes and gives, and whether the model's configuration says the same.

The rules are those of Triton's C++ ONNX Runtime backend (release 24.10, src/onnxruntime.cc,
ValidateInputs and ValidateOutputs), so that what loads here loads there. A shape is a list of
sizes with -1 for a dynamic one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ort_ragged import ItemShape, read_ragged

# ONNX Runtime's names of tensor types and Triton's.
TRITON_TYPES = {
    "tensor(bool)": "TYPE_BOOL",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(uint16)": "TYPE_UINT16",
    "tensor(uint32)": "TYPE_UINT32",
    "tensor(uint64)": "TYPE_UINT64",
    "tensor(int8)": "TYPE_INT8",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
    "tensor(string)": "TYPE_STRING",
}

Config = Mapping[str, Any]  # a model configuration, or a part of one, as Triton's JSON


class NodeArg(Protocol):
    """onnxruntime.NodeArg."""

    @property
    def name(self) -> str:
        """Name of the tensor."""

    @property
    def type(self) -> str:
        """Such as "tensor(float)"."""

    @property
    def shape(self) -> Sequence[int | str | None]:
        """Sizes; a name or None where dynamic; empty for a scalar or an unknown rank."""


class HasSignature(Protocol):
    """The part of onnxruntime.InferenceSession that is looked at here."""

    def get_inputs(self) -> Iterable[NodeArg]:
        """Return the inputs that a run must give."""

    def get_outputs(self) -> Iterable[NodeArg]:
        """Return the outputs."""

    def get_overridable_initializers(self) -> Iterable[NodeArg]:
        """Return the inputs that a run may give."""


@dataclass(frozen=True)
class TensorSpec:
    """A tensor of the graph.

    Attributes:
        name: its name.
        data_type: Triton's name for its type, TYPE_INVALID if Triton has none.
        shape: sizes with the batch dimension, -1 where dynamic; empty for a scalar.
    """

    name: str
    data_type: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """All of a graph's tensors, by name, in the graph's order."""

    inputs: Mapping[str, TensorSpec]
    optional_inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]

    @property
    def supports_batching(self) -> bool:
        """True if the first dimension of every input and output is dynamic."""
        tensors = [*self.inputs.values(), *self.outputs.values()]
        return all(tensor.shape[:1] == (-1,) for tensor in tensors)


def read_signature(session: HasSignature) -> Signature:
    """Return the signature of an opened model.

    Raises:
        ValueError: an input or output is not a tensor (a sequence, a map …).
    """
    return Signature(
        inputs=_specs("input", session.get_inputs()),
        optional_inputs=_specs("input", session.get_overridable_initializers()),
        outputs=_specs("output", session.get_outputs()),
    )


def _specs(kind: str, arguments: Iterable[NodeArg]) -> dict[str, TensorSpec]:
    """Return tensors by name.

    Raises:
        ValueError: one is not a tensor.
    """
    specs = {}
    for argument in arguments:
        if not argument.type.startswith("tensor("):
            raise ValueError(f"{kind} '{argument.name}': expected a tensor, got {argument.type}")
        shape = tuple(size if isinstance(size, int) else -1 for size in argument.shape)
        data_type = TRITON_TYPES.get(argument.type, "TYPE_INVALID")
        specs[argument.name] = TensorSpec(argument.name, data_type, shape)
    return specs


def check_config(config: Config, signature: Signature) -> None:
    """Compare a complete configuration with the graph.

    Raises:
        ValueError: the first difference, as "input 'x': expected …, got …".
    """
    _check_unsupported(config)
    max_batch_size = int(config.get("max_batch_size", 0))
    inputs = config.get("input", [])
    controls = list(_controls(config))
    ragged = read_ragged(config)
    made = [shape.target for shape in ragged.shapes]
    required = sum(1 for entry in inputs if not entry.get("optional")) + len(controls) + len(made)
    if required != len(signature.inputs):
        names = [entry["name"] for entry in inputs] + [name for name, _ in controls] + made
        raise ValueError(
            f"expected a configuration of the model's {len(signature.inputs)} inputs "
            f"{list(signature.inputs)}, got {required} {names}"
        )
    allowed = {**signature.inputs, **signature.optional_inputs}
    for entry in inputs:
        if entry.get("optional") and max_batch_size > 0:
            raise ValueError(
                f"input '{entry['name']}': expected no optional input with max_batch_size > 0, "
                f"got optional with max_batch_size {max_batch_size}"
            )
        if entry["name"] in ragged.inputs:
            _check_ragged(entry, allowed)
        else:
            _check_tensor("input", entry, allowed, max_batch_size, exact=False)
    for shape in ragged.shapes:
        _check_item_shape(shape, signature, inputs)
    for entry in config.get("output", []):
        _check_tensor("output", entry, signature.outputs, max_batch_size, exact=True)
    for name, data_type in controls:
        _check_control(name, data_type, signature, max_batch_size)


def _check_ragged(entry: Config, graph: Mapping[str, TensorSpec]) -> None:
    """Compare an input with `allow_ragged_batch` with the graph's.

    Raises:
        ValueError: the graph has none of this name, or one of another type, or not of one axis.
    """
    name = entry["name"]
    if name not in graph:
        raise ValueError(f"input '{name}': expected one of {list(graph)}, got another name")
    spec = graph[name]
    if entry["data_type"] != spec.data_type:
        raise ValueError(
            f"input '{name}': expected data_type {spec.data_type}, got {entry['data_type']}"
        )
    if spec.shape != (-1,):
        raise ValueError(
            f"input '{name}': expected a graph that takes shape [-1] for allow_ragged_batch, "
            f"got {list(spec.shape)}"
        )


def _check_item_shape(shape: ItemShape, signature: Signature, inputs: Sequence[Config]) -> None:
    """Compare a `batch_input` with the graph's input of its name.

    Raises:
        ValueError: the graph has no such input, or one of another type or shape.
    """
    if shape.target not in signature.inputs:
        raise ValueError(
            f"batch_input '{shape.target}': expected one of {list(signature.inputs)}, "
            "got another name"
        )
    spec = signature.inputs[shape.target]
    if spec.data_type != shape.data_type:
        raise ValueError(
            f"batch_input '{shape.target}': expected data_type {spec.data_type}, "
            f"got {shape.data_type}"
        )
    (source,) = (entry for entry in inputs if entry["name"] == shape.source)
    axes = len(source["dims"])
    if len(spec.shape) != 2 or spec.shape[0] != -1 or spec.shape[1] not in (-1, axes):
        raise ValueError(
            f"batch_input '{shape.target}': expected a graph that takes shape [-1, {axes}], "
            f"got {list(spec.shape)}"
        )


def _check_unsupported(config: Config) -> None:
    """Refuse what the C++ backend can do and this one cannot.

    Raises:
        ValueError: which field.
    """
    if (config.get("sequence_batching") or {}).get("state"):
        raise ValueError(
            "expected no sequence_batching.state: implicit state is served by the C++ "
            "ONNX Runtime backend only; keep the state in a Python model that calls this one"
        )
    if config.get("batch_output"):
        raise ValueError("expected no batch_output: the C++ ONNX Runtime backend only serves it")
    if (config.get("model_transaction_policy") or {}).get("decoupled"):
        raise ValueError("expected one response a request, got a decoupled transaction policy")


def _check_tensor(
    kind: str,
    entry: Config,
    graph: Mapping[str, TensorSpec],
    max_batch_size: int,
    exact: bool,
) -> None:
    """Compare one input or output of the configuration with the graph's.

    Args:
        kind: "input" or "output", for messages.
        entry: the configuration's.
        graph: the graph's tensors of that kind.
        max_batch_size: the model's; 0 for none.
        exact: whether the configuration may not narrow a dynamic dimension.

    Raises:
        ValueError: name, type or shape differ.
    """
    name = entry["name"]
    if name not in graph:
        raise ValueError(f"{kind} '{name}': expected one of {list(graph)}, got another name")
    spec = graph[name]
    if entry["data_type"] != spec.data_type or spec.data_type == "TYPE_INVALID":
        raise ValueError(
            f"{kind} '{name}': expected data_type {spec.data_type}, got {entry['data_type']}"
        )
    reshape = entry.get("reshape")
    sizes = entry["dims"] if reshape is None else reshape.get("shape", [])
    dims = [int(size) for size in sizes]
    if not spec.shape:
        # A scalar, with or without batching; Triton has no dims [] and takes ones instead.
        if any(size != 1 for size in dims):
            raise ValueError(f"{kind} '{name}': expected dims of 1 for a scalar, got {dims}")
        return
    if max_batch_size > 0 and spec.shape[0] != -1:
        raise ValueError(
            f"{kind} '{name}': expected a dynamic first dimension with max_batch_size "
            f"{max_batch_size}, got shape {list(spec.shape)} in the model"
        )
    complete = [-1, *dims] if max_batch_size > 0 else dims
    if not _shapes_agree(spec.shape, complete, exact):
        batch = "; the batch dimension and then dims" if max_batch_size > 0 else ""
        hint = ""
        if max_batch_size > 0 and len(spec.shape) == 1 and dims == [1]:
            hint = " (declare dims: [ 1 ] with reshape: { shape: [ ] })"
        raise ValueError(
            f"{kind} '{name}': expected shape {list(spec.shape)}, got {complete}{batch}{hint}"
        )


def _shapes_agree(model: Sequence[int], configured: Sequence[int], exact: bool) -> bool:
    """Return whether a configured shape fits the model's.

    A fixed dimension must be the same in both. A dynamic one may be narrowed, unless `exact`.
    """
    return len(model) == len(configured) and all(
        ours == theirs or (ours == -1 and not exact)
        for ours, theirs in zip(model, configured, strict=True)
    )


def _controls(config: Config) -> Iterable[tuple[str, str]]:
    """Return name and data_type of each control tensor of a sequence model."""
    for control_input in (config.get("sequence_batching") or {}).get("control_input", []):
        for control in control_input.get("control", []):
            data_type = control.get("data_type", "TYPE_INVALID")
            for prefix in ("int32", "fp32", "bool"):
                if control.get(f"{prefix}_false_true"):
                    data_type = f"TYPE_{prefix.upper()}"
            yield control_input["name"], data_type


def _check_control(name: str, data_type: str, signature: Signature, max_batch_size: int) -> None:
    """Compare one sequence control with the graph.

    Raises:
        ValueError: the graph has no such input, or one of another type or shape.
    """
    if name not in signature.inputs:
        raise ValueError(
            f"sequence control '{name}': expected one of {list(signature.inputs)}, got another name"
        )
    spec = signature.inputs[name]
    if list(spec.shape[1 if max_batch_size > 0 else 0 :]) != [1]:
        raise ValueError(f"sequence control '{name}': expected dims [1], got {list(spec.shape)}")
    if data_type != spec.data_type:
        raise ValueError(
            f"sequence control '{name}': expected data_type {spec.data_type}, got {data_type}"
        )
