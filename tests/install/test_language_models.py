"""`build-lm` and `install lm`: a text to a model beside its recogniser, kept and switched."""

import shutil

import numpy as np
import pytest

from asr_core.decoding import HotwordSettings
from asr_core.paraformer import load_paraformer_decoder
from asr_server.commands import build_lm
from asr_server.commands import install as install_command
from asr_server.models import KINDS, copy_repository
from asr_server.places import EMBEDDED_MODELS
from tests.tlg import write_graph

FOLDER = "paraformer_scoring/1"


@pytest.fixture
def repository(tmp_path):
    """A Paraformer's repository with what its tokens are in, no graph."""
    target = copy_repository(KINDS["paraformer"], tmp_path / "repository")
    for name in ("tokens.json", "config.yaml"):
        shutil.copy(EMBEDDED_MODELS / "paraformer" / name, target / FOLDER / name)
    return target


def run(command, *arguments):
    return command.main([str(argument) for argument in arguments], "command")


def build(repository, out, text="今天天气好\n今天天气好，今天\nhello 你好\n"):
    source = out.with_suffix(".txt")
    source.write_text(text, encoding="utf-8")
    return run(build_lm, "paraformer", source, "--out", out, "--repository", repository)


def test_a_text_becomes_what_recognises_like_it(repository, tmp_path, capsys):
    places = ("--repository", repository, "--store", tmp_path / "store")
    for name in ("one", "two"):
        assert build(repository, tmp_path / f"{name}.arpa") == 0
        assert run(install_command, "lm", "--from", tmp_path / f"{name}.arpa", "--for",
                   "paraformer", "--weight", "0.5", *places) == 0  # fmt: skip
    assert run(install_command, "list", *places) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:26] for line in lines[-2:]] == [
        "  lm-paraformer      one  ", "* lm-paraformer      two  "
    ]  # fmt: skip
    decoder = load_paraformer_decoder(repository / FOLDER, HotwordSettings())
    search = decoder.row_search("")
    assert search is not None
    from asr_core.paraformer import load_pieces

    pieces = load_pieces(repository / FOLDER)
    text = [pieces.index(character) for character in "今天天气"]
    other = pieces.index("的")
    ids = np.array([[token, other] for token in text], np.int32)
    log_probs = np.log(np.array([[0.6, 0.3]] * 4, np.float32))
    ids[2] = ids[2][::-1]  # 的 is heard a little better than the second 天
    log_probs[2] = np.log([0.46, 0.44])
    assert search(ids, log_probs)[0].tolist() == text

    assert run(install_command, "use", "lm-paraformer", "none", *places) == 0
    assert load_paraformer_decoder(repository / FOLDER, HotwordSettings()).row_search("") is None
    assert run(install_command, "use", "lm-paraformer", "one", *places) == 0
    assert run(install_command, "use", "lm-paraformer", "three", *places) == 1
    assert "there are: one, two" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("nothing", "expected an ARPA file"),
        ("\\data\\\nngram 1=1\n\n\\1-grams:\n-1\tstrange\n\n\\end\\\n", "build-lm makes one"),
    ],
)
def test_what_is_no_language_model_changes_nothing(repository, tmp_path, capsys, content, expected):
    (tmp_path / "a.arpa").write_text(content)
    places = ("--repository", repository, "--store", tmp_path / "store")
    assert run(install_command, "lm", "--from", tmp_path / "a.arpa", "--for", "paraformer",
               *places) == 1  # fmt: skip
    assert expected in capsys.readouterr().err
    assert not (repository / FOLDER / "language_model").exists()


def test_a_graph_of_other_tokens_is_refused(repository, tmp_path, capsys):
    """Its labels would stand for other tokens, and nothing would say so."""
    folder = tmp_path / "graph"
    folder.mkdir()
    write_graph(folder)
    places = ("--repository", repository, "--store", tmp_path / "store")
    assert run(install_command, "lm", "--from", folder, "--for", "paraformer", *places) == 1
    assert "made for other tokens" in capsys.readouterr().err
    tokens = __import__("tests.tlg", fromlist=["TOKENS"]).TOKENS
    import json

    (repository / FOLDER / "tokens.json").write_text(json.dumps(tokens))
    assert run(install_command, "lm", "--from", folder, "--for", "paraformer", *places) == 0
    decoder = load_paraformer_decoder(repository / FOLDER, HotwordSettings())
    assert decoder.row_search("") is not None
