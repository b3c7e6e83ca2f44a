"""The check of imports that import-linter cannot see finds what it is there for."""

from pathlib import Path

import pytest

from scripts.check_glue import ROOT, check


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_the_project_passes():
    assert list(ROOT.glob("model_repo_*/*/1/model.py"))
    assert check(ROOT) == []


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [
        ("model_repo_x/m/1/model.py", "from asr_client import Client", "asr_client"),
        ("model_repo_x/m/1/model.py", "def f():\n    import lab.training", "lab"),
        ("model_repo_x/m/1/model.py", "import onnxruntime", "onnxruntime"),
        ("backends/onnxruntime/model.py", "import asr_core.ctc", "asr_core"),
        ("backends/onnxruntime/model.py", "from . import other", "imports ."),
    ],
)
def test_a_wrong_import_is_named(tmp_path, file, text, named):
    write(tmp_path, file, text)
    (problem,) = check(tmp_path)
    assert named in problem
    assert file in problem


def test_a_circle_in_a_backend_is_named(tmp_path):
    write(tmp_path, "backends/b/model.py", "import one")
    write(tmp_path, "backends/b/one.py", "import two")
    write(tmp_path, "backends/b/two.py", "def f():\n    from one import g")
    (problem,) = check(tmp_path)
    assert "circle" in problem
    assert "one" in problem
    assert "two" in problem
