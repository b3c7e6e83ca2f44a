"""Which optional packages a command needs, and the extra that brings them."""

from __future__ import annotations

import importlib.util

_NEEDED = {
    "server": ("onnx", "onnxruntime", "asrfront", "kaldi_native_fbank", "sentencepiece", "yaml"),
    "docker": ("docker",),
    "lm": ("kaldi_decoder", "kaldifst"),
    "gateway": ("starlette", "uvicorn", "websockets"),
    "hub": ("modelscope", "huggingface_hub"),
    "export": ("torch", "funasr", "onnx"),
}


class MissingExtraError(RuntimeError):
    """Packages that the command needs are not installed; the message says which extra has them."""


def require(extra: str) -> None:
    """Check that what an extra brings is there, without importing it.

    Raises:
        MissingExtraError: it is not.
    """
    if missing := missing_packages(extra):
        raise MissingExtraError(f"{', '.join(missing)} not installed: {install_line(extra)}")


def missing_packages(extra: str) -> list[str]:
    """Return the modules of an extra that cannot be found."""
    return [name for name in _NEEDED[extra] if importlib.util.find_spec(name) is None]


def install_line(extra: str) -> str:
    """Return the command that installs an extra."""
    return f'pip install "triton-asr[{extra}]"'
