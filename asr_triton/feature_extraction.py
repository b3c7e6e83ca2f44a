"""The offline feature extractors: one is built, and a batch is answered group after group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from asr_core.features import Features, FeatureService, load_feature_service
from asr_triton.answers import refuse, respond
from asr_triton.parameters import Parameters

Extract = Callable[[Any], tuple[Sequence[Features], Mapping[str, NDArray[Any]]]]


def build_feature_service(parameters: Parameters) -> FeatureService:
    """Build the feature service of the model that is being initialised."""
    return load_feature_service(
        Path(pb_utils.get_model_dir()),
        max_audio_seconds=parameters.number("max_audio_seconds"),
        max_padding=parameters.number(
            "max_padding_gpu" if parameters.on_gpu else "max_padding_cpu"
        ),
        device=parameters.device,
    )


def answer_in_groups(requests: Sequence[Any], service: FeatureService, extract: Extract) -> None:
    """Answer requests in groups of one length, so that the encoder can join them.

    Args:
        requests: Triton's, of one call of `execute`.
        service: pads what `extract` gives.
        extract: gives a request's features, an array [T_i, D] a row, and the outputs it has beside
            `speech` and `speech_lengths`; raises ValueError if the request is at fault.
    """
    accepted, features, extras = [], [], []
    for request in requests:
        try:
            rows, extra = extract(request)
        except ValueError as error:
            _send(request, refuse(error))
        else:
            accepted.append(request)
            features.append(rows)
            extras.append(extra)
    for padded in service.pad(features):
        outputs = {"speech": padded.speech, "speech_lengths": padded.lengths}
        _send(accepted[padded.index], respond({**outputs, **extras[padded.index]}))


def _send(request: Any, response: Any) -> None:
    flags = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
    request.get_response_sender().send(response, flags=flags)
