"""Brings IR version and opset into what the oldest supported ONNX Runtime reads."""

from __future__ import annotations

from onnx import ModelProto, version_converter

from asr_server.graphs.errors import PrepareError

# ONNX Runtime 1.19, the one in Triton's 24.10 container, refuses more.
MAX_IR_VERSION = 10
MAX_OPSET = 21
# Below 13, reductions and `Unsqueeze` are written in another way than the edits write them. Speaker
# models are not edited inside, and 3D-Speaker exports them with 11.
MIN_OPSET, MIN_SPEAKER_OPSET = 13, 11


def limit_versions(model: ModelProto, lowest: int = MIN_OPSET) -> ModelProto:
    """Return the model with IR version at most 10 and an opset from `lowest` to 21.

    The IR version is a label for features that these graphs do not use, so it is only rewritten.

    Raises:
        PrepareError: the opset is too old, or cannot be converted down.
    """
    opset = max((entry.version for entry in model.opset_import if not entry.domain), default=0)
    if opset < lowest:
        raise PrepareError(
            f"opset {opset}: expected {lowest} to {MAX_OPSET}; export the model again with "
            "opset_version=14"
        )
    if opset > MAX_OPSET:
        try:
            model = version_converter.convert_version(model, MAX_OPSET)
        except Exception as error:  # onnx raises plain RuntimeErrors and others of its own
            raise PrepareError(
                f"opset {opset}: expected {lowest} to {MAX_OPSET}, and it cannot be converted "
                f"({error}); export the model again with opset_version=14"
            ) from error
    model.ir_version = min(model.ir_version, MAX_IR_VERSION)
    return model
