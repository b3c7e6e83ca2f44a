"""Triton backend `onnxruntime` in Python, for servers without the C++ one.

Triton runs this for every model with `backend: "onnxruntime"` (or `platform:
"onnxruntime_onnx"`) when the folder `onnxruntime` of its `--backend-directory` is this one. It
loads what the C++ backend of release 24.10 loads and refuses what that refuses. Beyond that it
refuses implicit state, batch outputs, decoupled models, and batch inputs other than the shapes of
ragged inputs (`ort_ragged`). Every model instance is a process with a session of its own; `reshape`
is done by Triton's core.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import triton_python_backend_utils as pb_utils
from ort_batch import Array, BatchPlan, Job, Result, run_jobs
from ort_complete import complete_config, needs_completion
from ort_inherited import close_inherited_connections
from ort_memory import JoinedArrays, concatenate, keep_freed_memory, own
from ort_ragged import read_ragged
from ort_session import check_warm_up, describe, graph_signature, open_instance
from ort_settings import read_settings, run_options
from ort_signature import check_config
from ort_workers import Turns, Workers, runs_at_a_time

Config = dict[str, Any]


class ModelLoadError(Exception):
    """A model cannot be served; the message names it and says what was expected."""


def _is_bad_input(error: Exception) -> bool:
    """Tell whether it is the request that is wrong; ONNX Runtime's class has no public name."""
    return isinstance(error, ValueError) or type(error).__name__ == "InvalidArgument"


@contextmanager
def _naming(model_name: str) -> Iterator[None]:
    """Put the model's name before what is wrong with it.

    Raises:
        ModelLoadError: instead of a ValueError.
    """
    try:
        yield
    except ValueError as error:
        raise ModelLoadError(f"onnxruntime: model '{model_name}', {error}") from None


class TritonPythonModel:
    """One instance of a model."""

    @staticmethod
    def auto_complete_config(auto_complete_model_config: Any) -> Any:
        """Fill in missing inputs and outputs.

        Raises:
            ModelLoadError: the file or the configuration is bad.
        """
        config: Config = auto_complete_model_config.as_dict()
        with _naming(config["name"]):
            if needs_completion(config):
                signature = graph_signature(pb_utils.get_model_dir(), config, read_settings(config))
                filled = complete_config(config, signature)
                pb_utils.Logger.log_info(
                    f"onnxruntime: model '{config['name']}': completed {', '.join(filled)}"
                )
        return auto_complete_model_config

    def initialize(self, args: dict[str, str]) -> None:
        """Open the model and compare it with its configuration.

        Raises:
            ModelLoadError: the file or the configuration is bad.
        """
        close_inherited_connections()
        self._name = args["model_name"]
        kind, device = args["model_instance_kind"], int(args["model_instance_device_id"])
        config: Config = json.loads(args["model_config"])
        with _naming(self._name):
            settings = read_settings(config)
            runs = runs_at_a_time(settings, kind)
            self._sessions = open_instance(
                pb_utils.get_model_dir(), config, settings, kind, device, runs, self._warn
            )
            signature = self._sessions.signature
            check_config(config, signature)
            check_warm_up(config, self._sessions)
        what = describe(self._sessions, device)
        pb_utils.Logger.log_info(
            f"onnxruntime: model '{self._name}', instance of kind {kind}: {what}"
        )
        self._run_options = run_options(settings)
        on_gpu = self._sessions.on_gpu
        if on_gpu:
            keep_freed_memory()
        self._workers = Workers(runs, ahead=not on_gpu) if runs > 1 or on_gpu else None
        self._turns, self._runs = Turns(), runs
        scalar_outputs = {}
        for entry in config["output"]:
            if not signature.outputs[entry["name"]].shape:
                dims = entry["reshape"].get("shape", []) if "reshape" in entry else entry["dims"]
                scalar_outputs[entry["name"]] = tuple(int(size) for size in dims)
        self._plan = BatchPlan(
            batching=config["max_batch_size"] > 0,
            scalar_inputs=frozenset(s.name for s in signature.inputs.values() if not s.shape),
            scalar_outputs=scalar_outputs,
            ragged=read_ragged(config),
            joins_lengths=on_gpu if settings.join_lengths is None else settings.join_lengths,
            concatenate=JoinedArrays().concatenate if on_gpu else concatenate,
        )

    def execute(self, requests: Sequence[Any]) -> None:
        """Answer the requests of one call, by a worker if there are several. Never raises."""
        senders = [request.get_response_sender() for request in requests]
        try:
            jobs = [
                Job(
                    # The request's memory is Triton's again once this call returns.
                    {tensor.name(): own(tensor.as_numpy()) for tensor in request.inputs()},
                    tuple(request.requested_output_names()),
                )
                for request in requests
            ]
        except Exception as error:  # an answer for each request is owed whatever happens
            self._answer(senders, [error] * len(senders))
            return
        if self._workers is None:
            self._work(senders, jobs, alone=True)()
            return
        for indices in self._plan.split(jobs):
            members = [senders[i] for i in indices], [jobs[i] for i in indices]
            self._workers.submit(partial(self._work, *members))

    def finalize(self) -> None:
        """Wait for the last answers, then free the sessions and with them their arenas."""
        if self._workers is not None:
            self._workers.close()
        del self._sessions

    def _work(self, senders: Sequence[Any], jobs: Sequence[Job], alone: bool) -> Callable[[], None]:
        """Run a batch; return what answers its requests."""
        session = self._sessions.alone if alone else self._sessions.beside_others

        def run(outputs: Sequence[str], inputs: Mapping[str, Array]) -> Sequence[Array]:
            if not outputs:
                return []  # ONNX Runtime would take no names for all names
            arrays: Sequence[Array] = self._turns.run(
                partial(session.run, list(outputs), inputs, self._run_options), self._may_repeat
            )
            return arrays

        try:
            results = run_jobs(jobs, run, self._plan, self._warn)
        except Exception as error:
            results = [error] * len(senders)
        return partial(self._answer, senders, results)

    def _answer(self, senders: Sequence[Any], results: Sequence[Result]) -> None:
        """Send each request its answer."""
        for sender, result in zip(senders, results, strict=True):
            sender.send(self._response(result), flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def _response(self, result: Result) -> Any:
        """Return Triton's answer for a result."""
        if not isinstance(result, Exception):
            try:
                tensors = [pb_utils.Tensor(name, array) for name, array in result.items()]
                return pb_utils.InferenceResponse(tensors)
            except Exception as error:  # an array that Triton cannot carry
                result = error
        codes = pb_utils.TritonError
        code = codes.INVALID_ARG if _is_bad_input(result) else codes.INTERNAL
        message = f"onnxruntime: model '{self._name}': {result}"
        return pb_utils.InferenceResponse([], pb_utils.TritonError(message, code))

    def _may_repeat(self, error: Exception) -> bool:
        """Tell whether a failed run may succeed without others beside it."""
        return self._runs > 1 and not _is_bad_input(error)

    def _warn(self, sentence: str) -> None:
        """Write to the server's log."""
        pb_utils.Logger.log_warn(f"onnxruntime: model '{self._name}': {sentence}")
