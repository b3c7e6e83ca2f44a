"""`build-lm` and `install lm`: a text to a model beside its recogniser, kept and switched."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from asr_core.decoding import HotwordSettings
from asr_core.language_models import KENLM_FILE, read_arpa
from asr_core.paraformer import load_paraformer_decoder, load_pieces
from asr_core.sensevoice import TOKENIZER_NAME, SenseVoiceScoring
from asr_server.commands import build_lm
from asr_server.commands import install as install_command
from asr_server.models import KINDS, copy_repository
from tests.tlg import TOKENS, write_graph

FOLDER = "paraformer_scoring/1"
KENLM_DATA = Path(__file__).parents[1] / "data" / "tiny.klm"
FOLDERS = {
    "paraformer": FOLDER,
    "paraformer-online": "streaming_cif_search/1",
    "sensevoice": "sensevoice_scoring/1",
}


@pytest.fixture
def repository(tmp_path):
    return copied("paraformer", tmp_path / "repository")


def copied(kind, target):
    """A repository of a kind with what its tokens are in, no graph."""
    repository = copy_repository(KINDS[kind], target)
    names = [TOKENIZER_NAME] if kind == "sensevoice" else ["tokens.json", "config.yaml"]
    for name in names:
        shutil.copy(KINDS[kind].embedded / name, repository / FOLDERS[kind] / name)
    return repository


def run(command, *arguments):
    return command.main([str(argument) for argument in arguments], "command")


def build(repository, out, kind="paraformer", text="今天天气好\n今天天气好，今天\nhello 你好\n"):
    source = out.with_suffix(".txt")
    source.write_text(text, encoding="utf-8")
    return run(build_lm, kind, source, "--out", out, "--repository", repository)


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
    (repository / FOLDER / "tokens.json").write_text(json.dumps(TOKENS))
    assert run(install_command, "lm", "--from", folder, "--for", "paraformer", *places) == 0
    decoder = load_paraformer_decoder(repository / FOLDER, HotwordSettings())
    assert decoder.row_search("") is not None


def searched(kind, repository, text, other, place):
    """The text that is found where `other` is heard a little better than its token at `place`."""
    folder = repository / FOLDERS[kind]
    if kind == "sensevoice":
        scoring = SenseVoiceScoring(folder / TOKENIZER_NAME)
        decoder, pieces = scoring.decoder(folder, HotwordSettings()), scoring.pieces
    else:
        decoder, pieces = load_paraformer_decoder(folder, HotwordSettings()), load_pieces(folder)
    ids = np.array([[pieces.index(token), pieces.index(other)] for token in text], np.int32)
    log_probs = np.log(np.array([[0.6, 0.3]] * len(text), np.float32))
    ids[place] = ids[place][::-1]
    log_probs[place] = np.log([0.46, 0.44])
    if kind == "sensevoice":  # a blank between any two: one token twice is two
        ids = np.stack([ids, np.zeros_like(ids)], 1).reshape(-1, 2)
        ids[1::2] = 0, pieces.index(other)
        blanks = np.broadcast_to(np.log(np.float32([0.99, 0.001])), log_probs.shape)
        log_probs = np.stack([log_probs, blanks], 1).reshape(-1, 2)
    if kind != "paraformer-online":
        search = decoder.row_search("")
        chosen = (search(ids, log_probs)[0] if search else ids[:, 0]).tolist()
    else:
        stream = decoder.stream_search("")
        chosen = ids[:, 0].tolist()
        if stream:
            stream.accept(ids, log_probs)
            chosen = [token for token, _ in stream.take(is_final=True)[0]]
    return "".join(pieces[token] for token in chosen if token)


@pytest.mark.parametrize("kind", FOLDERS)
def test_every_recogniser_takes_one_of_its_own_tokens(tmp_path, kind):
    repository = copied(kind, tmp_path / "repository")
    places = ("--repository", repository, "--store", tmp_path / "store")
    heard = (kind, repository, "今天天气", "的", 2)
    assert searched(*heard) == "今天的气"
    assert build(repository, tmp_path / "one.arpa", kind) == 0
    assert run(install_command, "lm", "--from", tmp_path / "one.arpa", "--for", kind,
               "--weight", "0.5", *places) == 0  # fmt: skip
    assert searched(*heard) == "今天天气"
    assert run(install_command, "use", f"lm-{kind}", "none", *places) == 0
    assert searched(*heard) == "今天的气"


def test_a_model_for_other_tokens_of_the_same_number_is_refused(repository, tmp_path, capsys):
    """By `install lm`, by `install use` and when it is loaded; a graph's and KenLM's, too."""
    places = ("--repository", repository, "--store", tmp_path / "store")
    install_one = ("lm", "--from", tmp_path / "one.arpa", "--for", "paraformer", *places)
    assert build(repository, tmp_path / "one.arpa") == 0
    assert read_arpa(tmp_path / "one.arpa").made_for
    assert run(install_command, *install_one) == 0
    pieces = load_pieces(repository / FOLDER)
    (repository / FOLDER / "tokens.json").write_text(json.dumps([*pieces[:5], *pieces[:4:-1]]))
    lm = repository / FOLDER / "language_model"
    for form in ("ngram", "kenlm", "tlg"):
        settings = json.loads((lm / "language_model.json").read_text())
        shutil.copy(KENLM_DATA, lm / KENLM_FILE)
        (lm / "language_model.json").write_text(json.dumps(settings | {"form": form}))
        with pytest.raises(ValueError, match=r"this recogniser's \d+ tokens .* got one for others"):
            load_paraformer_decoder(repository / FOLDER, HotwordSettings())
    assert run(install_command, *install_one) == 1
    assert "made by build-lm for other tokens" in capsys.readouterr().err
    assert run(install_command, "use", "lm-paraformer", "one", *places) == 1
    assert "got one for others" in capsys.readouterr().err
    assert run(install_command, "use", "lm-paraformer", "none", *places) == 0
    load_paraformer_decoder(repository / FOLDER, HotwordSettings())


def test_without_kenlm_its_form_is_refused_by_name(repository, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "kenlm", None)
    places = ("--repository", repository, "--store", tmp_path / "store")
    assert run(install_command, "lm", "--from", KENLM_DATA, "--for", "paraformer", *places) == 1
    assert "pip install kenlm" in capsys.readouterr().err
