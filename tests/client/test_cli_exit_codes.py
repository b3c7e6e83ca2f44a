"""What a run ends with when a file fails by something that may pass."""

from __future__ import annotations

import tempfile

import pytest

from asr_client import AudioError, DecoderFailed, Overloaded, StorageFull
from asr_client.cli import main
from tests.client.test_cli import FakeClient

FAILURES = {"decoder": DecoderFailed, "storage": StorageFull, "busy": Overloaded, "bad": AudioError}


class Failing(FakeClient):
    """Fails for files whose name says how."""

    def transcribe(self, audio, **options):
        if audio in FAILURES:
            raise FAILURES[audio](f"{audio}: no")
        return super().transcribe(audio, **options)


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (["fine"], 0),
        (["fine", "bad"], 1),
        (["decoder", "fine"], 5),
        (["storage"], 6),
        (["busy", "fine"], 7),
        (["busy", "decoder"], 1),
        (["busy", "bad"], 1),
    ],
)
def test_each_kind_has_a_code_of_its_own(files, code, capsys):
    client = Failing({"fine": "好"})
    assert main(["transcribe", *files], client_factory=client) == code


@pytest.mark.parametrize(("kind", "code"), [("decoder", 5), ("storage", 6), ("busy", 7)])
def test_an_alignment_has_them_too(tmp_path, kind, code):
    text = tmp_path / "text"
    text.write_text("text")

    class Aligning(FakeClient):
        def align(self, audio, text, **options):
            raise FAILURES[kind](f"{audio}: no")

    assert main(["align", "a.wav", str(text)], client_factory=Aligning()) == code


def test_without_a_place_for_temporary_files_nothing_is_begun(monkeypatch, capsys):
    """As in a container whose file systems are read-only."""

    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp', '/']")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    assert main(["transcribe", "a.wav"], client_factory=FakeClient({})) == 6
    error = capsys.readouterr().err
    assert error.startswith("triton-asr transcribe: temporary files: No usable temporary directory")
    assert "TMPDIR" in error and len(error.splitlines()) == 1
