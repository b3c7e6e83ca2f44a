"""An ONNX graph that can be searched and edited by how values flow, not by names of nodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import (
    ModelProto,
    NodeProto,
    TensorProto,
    helper,
    numpy_helper,
)
from onnx.reference import ReferenceEvaluator

from asr_server.graphs.nodes import attribute_value, rename_inputs, used_names

FLOAT, FLOAT16 = TensorProto.FLOAT, TensorProto.FLOAT16
INT32, INT64 = TensorProto.INT32, TensorProto.INT64
DOUBLE, BOOL = TensorProto.DOUBLE, TensorProto.BOOL

MICROSOFT = "com.microsoft"  # domain of ONNX Runtime's own operators

Dims = Sequence[str | int]  # of a tensor; a string is symbolic

_PASSING_OPERATORS = frozenset({"Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape"})


class Graph:
    """A model's graph with an index of producers and consumers, kept up to date while editing.

    New nodes may be added in any order; `finish` sorts them and drops what is no longer used.

    Args:
        model: is edited in place.
    """

    def __init__(self, model: ModelProto) -> None:
        self.model = model
        self._proto = model.graph
        self._nodes: list[NodeProto] = list(self._proto.node)
        self._producers = {name: node for node in self._nodes for name in node.output if name}
        self._initializers = {tensor.name: tensor for tensor in self._proto.initializer}
        self._taken = set(self._producers) | set(self._initializers)
        self._taken.update(value.name for value in self._proto.input)
        self._added = 0

    @property
    def nodes(self) -> Sequence[NodeProto]:
        """Nodes of the outermost graph."""
        return self._nodes

    @property
    def opset(self) -> int:
        """Version of the standard operators."""
        versions = [entry.version for entry in self.model.opset_import if not entry.domain]
        return max(versions, default=0)

    @property
    def input_types(self) -> dict[str, int]:
        """Element type of each input, in order."""
        return {
            value.name: value.type.tensor_type.elem_type
            for value in self._proto.input
            if value.name not in self._initializers
        }

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, in order."""
        return [value.name for value in self._proto.output]

    def declared_dims(self, name: str) -> list[str | int]:
        """Return the dimensions of an input or output as the file declares them.

        A string is symbolic, "?" an unnamed dimension.
        """
        for value in (*self._proto.input, *self._proto.output):
            if value.name == name:
                dims = value.type.tensor_type.shape.dim
                return [dim.dim_value or dim.dim_param or "?" for dim in dims]
        raise LookupError(name)

    def producer(self, tensor: str) -> NodeProto | None:
        """Return the node that computes `tensor`; None for inputs and initializers."""
        return self._producers.get(tensor)

    def consumers(self, tensor: str) -> list[NodeProto]:
        """Return the outermost nodes that read `tensor`, directly or inside a subgraph."""
        return [node for node in self._nodes if tensor in used_names(node)]

    def constant_value(self, tensor: str) -> np.ndarray[Any, Any] | None:
        """Return the value of a constant or initializer, None if it is computed."""
        if tensor in self._initializers:
            return numpy_helper.to_array(self._initializers[tensor])
        node = self.producer(tensor)
        if node is not None and node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    return numpy_helper.to_array(attribute.t)
        return None

    def folded_value(self, tensor: str) -> np.ndarray[Any, Any] | None:
        """Return the value of a tensor that no input decides, however many nodes compute it.

        None if an input has a say.
        """
        nodes: list[NodeProto] = []
        self._visit(tensor, nodes, set())
        read = {name for node in nodes for name in used_names(node)} | {tensor}
        leaves = sorted(read - {name for node in nodes for name in node.output})
        if any(name not in self._initializers for name in leaves):
            return None
        constants = [self._initializers[name] for name in leaves]
        result = onnx.ValueInfoProto(name=tensor)
        part = helper.make_model(
            helper.make_graph(nodes, "part", [], [result], constants),
            opset_imports=self.model.opset_import,
        )
        (value,) = ReferenceEvaluator(part).run(None, {})
        return np.asarray(value)

    def origin(self, tensor: str, stop: str = "") -> str:
        """Follow `tensor` back through casts and changes of shape to where its values come from.

        Args:
            tensor: where to begin.
            stop: a tensor to stop at.
        """
        node = self.producer(tensor)
        while tensor != stop and node is not None and node.op_type in _PASSING_OPERATORS:
            tensor = node.input[0]
            node = self.producer(tensor)
        return tensor

    def element_type(self, tensor: str) -> int:
        """Return the element type of `tensor`, read from the nearest cast before it or an input.

        Raises:
            LookupError: neither is found.
        """
        while True:
            if tensor in self.input_types:
                return self.input_types[tensor]
            node = self.producer(tensor)
            if node is None or node.op_type not in _PASSING_OPERATORS:
                raise LookupError(tensor)
            if node.op_type == "Cast":
                return int(attribute_value(node, "to"))
            tensor = node.input[0]

    def add(self, op_type: str, inputs: Sequence[str], name: str = "", **attributes: Any) -> str:
        """Add a node with one output and return the output's name (`name`, or a fresh one)."""
        return self._add(op_type, inputs, [name or self.fresh_name(op_type)], attributes)[0]

    def add_several(
        self, op_type: str, inputs: Sequence[str], num_outputs: int, **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs and return their fresh names."""
        outputs = [self.fresh_name(op_type) for _ in range(num_outputs)]
        return self._add(op_type, inputs, outputs, attributes)

    def _add(
        self, op_type: str, inputs: Sequence[str], outputs: list[str], attributes: dict[str, Any]
    ) -> list[str]:
        name = f"{outputs[0]}_node"
        node = helper.make_node(op_type, list(inputs), outputs, name=name, **attributes)
        self._nodes.append(node)
        self._producers.update(dict.fromkeys(outputs, node))
        self._taken.update(outputs)
        return outputs

    def constant(self, value: ArrayLike, dtype: Any) -> str:
        """Add an initializer and return its name."""
        name = self.fresh_name("constant")
        tensor = numpy_helper.from_array(np.asarray(value, dtype), name)
        self._proto.initializer.append(tensor)
        self._initializers[name] = tensor
        return name

    def cast(self, tensor: str, to: int) -> str:
        """Add a cast to an element type of `TensorProto`."""
        return self.add("Cast", [tensor], to=to)

    def reduce(self, op_type: str, tensor: str, axis: int, keepdims: bool = False) -> str:
        """Add a reduction over one axis, written as the model's opset wants it."""
        if self.opset >= 18 or op_type == "ReduceSum":
            inputs = [tensor, self.constant([axis], np.int64)]
            return self.add(op_type, inputs, keepdims=int(keepdims))
        return self.add(op_type, [tensor], axes=[axis], keepdims=int(keepdims))

    def unsqueeze(self, tensor: str, *axes: int) -> str:
        """Add axes of length one."""
        return self.add("Unsqueeze", [tensor, self.constant(axes, np.int64)])

    def dim(self, tensor: str, axis: int) -> str:
        """Add nodes that read the length of one axis: int64 scalar."""
        shape = self.add("Shape", [tensor])
        return self.add("Gather", [shape, self.constant(axis, np.int64)], axis=0)

    def replace_uses(self, old: str, new: str, except_for: Iterable[str] = ()) -> int:
        """Let every reader of `old` read `new`, subgraphs included, and return their number.

        Args:
            old: a tensor's name.
            new: another's, of the same type and shape.
            except_for: outputs of the nodes that keep reading `old`.
        """
        keep = {id(self._producers[name]) for name in except_for}
        changed = 0
        for node in self._nodes:
            if id(node) not in keep and old in used_names(node):
                rename_inputs(node, old, new)
                changed += 1
        return changed

    def replace_node(self, old: NodeProto, new: NodeProto) -> None:
        """Put a node in the place of another, whose outputs nothing else makes."""
        for name in old.output:
            self._producers.pop(name, None)
        old.CopyFrom(new)
        for name in old.output:
            if name:
                self._producers[name] = old
                self._taken.add(name)

    def rename_output_of(self, old: str, new: str) -> None:
        """Give the tensor `old` the name `new` at its producer and all its readers."""
        node = self._producers.pop(old)
        node.output[list(node.output).index(old)] = new
        if node.name == f"{old}_node":  # of ours; a name is a node's own, too
            node.name = f"{new}_node"
        self._producers[new] = node
        self._taken.add(new)
        self.replace_uses(old, new)

    def retype_input(self, name: str, element_type: int) -> None:
        """Let an input take another element type; what read it reads a cast of it."""
        old = self.input_types[name]
        if old == element_type:
            return
        for value in self._proto.input:
            if value.name == name:
                value.type.tensor_type.elem_type = element_type
        cast = self.cast(name, old)
        self.replace_uses(name, cast, except_for=[cast])

    def retype_output(self, name: str, element_type: int) -> None:
        """Let an output, which nothing inside reads, take another element type."""
        computed = self.fresh_name(name)
        self.rename_output_of(name, computed)
        self.add("Cast", [computed], name=name, to=element_type)
        for value in self._proto.output:
            if value.name == name:
                value.type.tensor_type.elem_type = element_type

    def set_inputs(self, inputs: dict[str, tuple[int, Dims]]) -> None:
        """Declare the inputs: name to element type and dimensions (a string is symbolic).

        What read an input that is no longer one must read something else before `finish`.
        """
        del self._proto.input[:]
        for name, (element_type, shape) in inputs.items():
            value = helper.make_tensor_value_info(name, element_type, list(shape))
            self._proto.input.append(value)
        self._taken.update(inputs)

    def set_outputs(self, outputs: dict[str, tuple[int, Dims]]) -> None:
        """Declare the outputs: name to element type and dimensions (a string is symbolic)."""
        del self._proto.output[:]
        for name, (element_type, shape) in outputs.items():
            value = helper.make_tensor_value_info(name, element_type, list(shape))
            self._proto.output.append(value)

    def use_domain(self, domain: str) -> None:
        """Let the model use operators beside the standard ones."""
        if all(entry.domain != domain for entry in self.model.opset_import):
            self.model.opset_import.append(helper.make_opsetid(domain, 1))

    def set_input_dims(self, name: str, dims: Dims) -> None:
        """Declare the dimensions of an input (a string is symbolic)."""
        for value in self._proto.input:
            if value.name == name:
                element_type = value.type.tensor_type.elem_type
                value.CopyFrom(helper.make_tensor_value_info(name, element_type, list(dims)))

    def finish(self) -> None:
        """Drop what no output needs, sort the nodes and write them into the model."""
        needed = set(self.output_names)
        ordered: list[NodeProto] = []
        done: set[int] = set()
        for name in self.output_names:
            self._visit(name, ordered, done)
        for node in ordered:
            needed |= used_names(node)
        del self._proto.node[:]
        self._proto.node.extend(ordered)
        self._nodes = list(self._proto.node)
        self._producers = {name: node for node in self._nodes for name in node.output if name}
        unused = [i for i, t in enumerate(self._proto.initializer) if t.name not in needed]
        for index in reversed(unused):
            del self._proto.initializer[index]
        self._initializers = {tensor.name: tensor for tensor in self._proto.initializer}
        del self._proto.value_info[:]  # shapes inferred before the edits would now be wrong

    def _visit(self, tensor: str, ordered: list[NodeProto], done: set[int]) -> None:
        """Append what computes `tensor`, each node after those it reads (without recursion)."""
        stack: list[tuple[NodeProto, bool]] = []
        start = self._producers.get(tensor)
        if start is not None:
            stack.append((start, False))
        while stack:
            node, ready = stack.pop()
            if ready:
                ordered.append(node)
                continue
            if id(node) in done:
                continue
            done.add(id(node))
            stack.append((node, True))
            for name in sorted(used_names(node)):
                before = self._producers.get(name)
                if before is not None and id(before) not in done:
                    stack.append((before, False))

    def fresh_name(self, stem: str) -> str:
        """Return a name that no tensor has yet."""
        while True:
            name = f"prepared/{stem}_{self._added}"
            self._added += 1
            if name not in self._taken:
                self._taken.add(name)
                return name
