"""Divides a residual stream by a number without changing what the model says.

A transformer's layers add to one running sum, the residual stream, which only layer normalisations
read. These do not care for its scale, so everything that is added to it may be divided by the same
number. In Paraformer the sum exceeds 65504, the largest float16; dividing it cures that.

Source: FunASR `funasr/utils/export_utils.py`, `_rescale_encoder_model`, which does this on the
torch modules, with random input in place of speech.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, helper

from asr_server.graphs.graph import Graph
from asr_server.graphs.nodes import attribute_value

_SIZES = ("Shape", "Size")


@dataclass(frozen=True)
class ResidualStream:
    """The states of one running sum, in order of computing.

    Attributes:
        states: tensors that hold the sum.
        added: for each `Add` that makes a state, by its output, the operands that are no states.
        sources: states that are computed otherwise.
        norms: outputs of the layer normalisations that read it.
        other_readers: for each state, outputs of the nodes that read it and are neither.
    """

    states: tuple[str, ...]
    added: Mapping[str, tuple[str, ...]]
    sources: tuple[str, ...]
    norms: tuple[str, ...]
    other_readers: Mapping[str, tuple[str, ...]]


def find_residual_streams(graph: Graph) -> list[ResidualStream]:
    """Return the residual streams, in order of computing."""
    readers = _readers(graph)
    order = {name: index for index, node in enumerate(graph.nodes) for name in node.output}
    norms = [node for node in graph.nodes if node.op_type == "LayerNormalization"]
    streams, seen = [], set()
    for norm in norms:
        state = norm.input[0]
        if state in seen or state not in order:
            continue
        states = _connected(graph, readers, state)
        seen |= states
        streams.append(_describe(graph, readers, sorted(states, key=order.__getitem__)))
    return streams


def rescale(graph: Graph, stream: ResidualStream, scale: float) -> None:
    """Divide all states of a stream by `scale`.

    The last matrix product of what is added takes the division into its weights; other tensors
    get a multiplication. The epsilons of the normalisations follow.
    """
    readers = _readers(graph)
    factor = np.float32(1 / scale)
    inside = {*stream.added, *stream.norms}
    for state in stream.sources:
        _divide(graph, readers, state, inside, factor)
    for output, operands in stream.added.items():
        for operand in operands:
            _divide(graph, readers, operand, {output}, factor)
    for state, outputs in stream.other_readers.items():
        restored = graph.add("Mul", [state, graph.constant(scale, np.float32)])
        _read_instead(readers[state], set(outputs), state, restored)
    for output in stream.norms:
        _set_epsilon(_producer(graph, output), float(factor) ** 2)


def _connected(graph: Graph, readers: Mapping[str, list[NodeProto]], start: str) -> set[str]:
    states, waiting = {start}, [start]
    while waiting:
        state = waiting.pop()
        found = [node.output[0] for node in readers[state] if _is_sum(graph, node)]
        node = graph.producer(state)
        if node is not None and _is_sum(graph, node):
            found += [name for name in node.input if _is_state(graph, readers, name)]
        waiting += [name for name in found if name not in states]
        states.update(found)
    return states


def _is_sum(graph: Graph, node: NodeProto) -> bool:
    """Return whether a node adds two tensors, and not a constant to one."""
    return node.op_type == "Add" and all(graph.constant_value(name) is None for name in node.input)


def _is_state(graph: Graph, readers: Mapping[str, list[NodeProto]], name: str) -> bool:
    """Return whether an operand of a sum is of the stream: a norm reads it, or it is a sum."""
    producer = graph.producer(name)
    return any(node.op_type == "LayerNormalization" for node in readers[name]) or (
        producer is not None and _is_sum(graph, producer) and len(readers[name]) == 1
    )


def _describe(
    graph: Graph, readers: Mapping[str, list[NodeProto]], states: list[str]
) -> ResidualStream:
    added: dict[str, tuple[str, ...]] = {}
    sources, norms = [], []
    other_readers: dict[str, tuple[str, ...]] = {}
    for state in states:
        node = graph.producer(state)
        if node is not None and _is_sum(graph, node):
            added[state] = tuple(name for name in node.input if name not in states)
        else:
            sources.append(state)
    for state in states:
        norms += [n.output[0] for n in readers[state] if n.op_type == "LayerNormalization"]
        others = [
            node.output[0]
            for node in readers[state]
            if node.op_type not in ("LayerNormalization", *_SIZES) and node.output[0] not in added
        ]
        if others:
            other_readers[state] = tuple(others)
    return ResidualStream(tuple(states), added, tuple(sources), tuple(norms), other_readers)


def _divide(
    graph: Graph,
    readers: Mapping[str, list[NodeProto]],
    tensor: str,
    outputs: set[str],
    factor: np.float32,
) -> None:
    """Multiply what the nodes with these outputs read of `tensor` by `factor`."""
    if all(node.output[0] in outputs for node in readers[tensor]):
        node = graph.producer(tensor)
        if node is not None and _fold(graph, readers, node, factor):
            return
    scaled = graph.add("Mul", [tensor, graph.constant(factor, np.float32)])
    _read_instead(readers[tensor], outputs, tensor, scaled)


def _fold(
    graph: Graph, readers: Mapping[str, list[NodeProto]], node: NodeProto, factor: np.float32
) -> bool:
    """Multiply the weights of a matrix product, with its bias where it has one, by `factor`."""
    if node.op_type == "MatMul":
        weight = graph.constant_value(node.input[1])
        if weight is None:
            return False
        node.input[1] = graph.constant(weight * factor, np.float32)
        return True
    if node.op_type != "Add":
        return False
    for index, name in enumerate(node.input):
        bias = graph.constant_value(name)
        product = graph.producer(node.input[1 - index])
        if bias is None or product is None or product.op_type != "MatMul":
            continue
        if len(readers[product.output[0]]) == 1 and _fold(graph, readers, product, factor):
            node.input[index] = graph.constant(bias * factor, np.float32)
            return True
    return False


def _read_instead(nodes: list[NodeProto], outputs: set[str], old: str, new: str) -> None:
    for node in nodes:
        if node.output[0] in outputs:
            node.input[:] = [new if name == old else name for name in node.input]


def _set_epsilon(norm: NodeProto, factor: float) -> None:
    epsilon = float(attribute_value(norm, "epsilon", 1e-5)) * factor
    kept = [attribute for attribute in norm.attribute if attribute.name != "epsilon"]
    del norm.attribute[:]
    norm.attribute.extend([*kept, helper.make_attribute("epsilon", epsilon)])


def _producer(graph: Graph, tensor: str) -> NodeProto:
    node = graph.producer(tensor)
    if node is None:
        raise LookupError(tensor)
    return node


def _readers(graph: Graph) -> Mapping[str, list[NodeProto]]:
    readers: defaultdict[str, list[NodeProto]] = defaultdict(list)
    for node in graph.nodes:
        for name in dict.fromkeys(node.input):
            readers[name].append(node)
    return readers
