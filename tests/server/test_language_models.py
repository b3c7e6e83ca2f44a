"""Language models of `build-lm` and FunASR's graphs, installed and served by a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asr_client import Client
from asr_core.language_models import NgramModel
from asr_core.paraformer import load_pieces
from asr_server.commands import build_lm
from asr_server.commands import install as install_command
from asr_server.install.recogniser_tokens import TextTokens
from asr_server.models import KINDS
from asr_server.models.language_models import SCORING
from asr_server.places import EMBEDDED_MODELS
from asr_server.run import ServerFlags
from tests.recordings import cut
from tests.serving import READY_TIMEOUT_S, RawClient, serve_models
from tests.tlg import LEXICON, write_graph

SAMPLE_RATE = 16_000
TEXTS = "今天天气很好\n明天下午三点开会\n我们在北京\n" * 3
HEAVY = "4"  # so much that the language model decides wherever a candidate allows it
RECORDINGS = [cut(seconds, 3 * seconds) for seconds in (1.7, 4.0, 6.0)]


class Served:
    """A server of the three recognisers whose language models change while it runs."""

    def __init__(self, work: Path, server: Any) -> None:
        self.work, self.server, self.client = work, server, RawClient(server)

    def repository(self, kind: str) -> Path:
        return self.work / "served" / KINDS[kind].repository

    def install(self, kind: str, *arguments: object) -> None:
        """Run `install`, and load what scores anew, as a new start of the server does."""
        places = ["--repository", self.repository(kind), "--store", self.work / "store"]
        assert install_command.main([str(word) for word in (*arguments, *places)], "install") == 0
        self.client.grpc.load_model(SCORING[kind], client_timeout=READY_TIMEOUT_S)

    def build(self, kind: str) -> Path:
        """Return a language model of `TEXTS`, built by the command."""
        texts, out = self.work / "texts.txt", self.work / f"{kind}.arpa"
        texts.write_text(TEXTS, encoding="utf-8")
        words = [kind, str(texts), "--out", str(out), "--repository", str(self.repository(kind))]
        assert build_lm.main(words, "build-lm") == 0
        return out

    def texts(self, kind: str) -> list[str]:
        """Return what the recordings are heard as."""
        if kind != "paraformer-online":
            answers = self.client.recognise(kind, RECORDINGS)
            return [answer.text for answer in answers]
        with Client(f"grpc://{self.server.grpc_url}") as client:
            return [self._streamed(client, samples) for samples in RECORDINGS]

    def _streamed(self, client: Client, samples: np.ndarray) -> str:
        with client.stream() as session:
            for start in range(0, len(samples), 9600):
                session.send(samples[start : start + 9600], sample_rate=SAMPLE_RATE)
            return session.finish().text


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    work = tmp_path_factory.mktemp("language_models")
    (work / "served").mkdir()
    sources = {kind: KINDS[kind].embedded for kind in SCORING}
    flags = ServerFlags(model_control_mode="explicit", load_models=["*"])
    with serve_models(work / "served", sources, flags=flags) as server:
        yield Served(work, server)


def log_prob(served: Served, kind: str, text: str) -> float:
    """Natural-log probability per token of a text, by what is installed beside a recogniser."""
    repository = served.repository(kind)
    tokens = TextTokens(kind, repository)
    model = NgramModel(repository / SCORING[kind] / "1" / "language_model", tokens.tokens)
    state, total = model.begin(), 0.0
    ids = tokens.ids(text)
    for token in ids:
        state, added = model.score(state, token)
        total += added
    return (total + model.end(state)) / (len(ids) + 1)


@pytest.mark.parametrize("kind", SCORING)
def test_texts_go_towards_a_heavy_model_and_back_without_it(served: Served, kind: str) -> None:
    before = served.texts(kind)
    served.install(kind, "lm", "--from", served.build(kind), "--for", kind, "--weight", HEAVY)
    with_model = served.texts(kind)
    assert with_model != before
    assert all(with_model)
    gained = [
        log_prob(served, kind, text) - log_prob(served, kind, old)
        for text, old in zip(with_model, before, strict=True)
    ]
    assert min(gained) >= 0 and max(gained) > 0.2, (before, with_model)
    served.install(kind, "use", f"lm-{kind}", "none")
    assert served.texts(kind) == before


def test_a_graph_is_decoded_by_the_stub(served: Served, tmp_path: Path) -> None:
    """Its packages are found there; what is heard is spelt in words of the graph."""
    tokens = load_pieces(EMBEDDED_MODELS / "paraformer")
    write_graph(tmp_path, tokens)
    before = served.texts("paraformer")
    served.install("paraformer", "lm", "--from", tmp_path, "--for", "paraformer", "--name", "graph")
    characters = {token for spelling in LEXICON.values() for token in spelling.split()}
    heard = served.texts("paraformer")
    assert all(heard) and set("".join(heard)) <= characters
    served.install("paraformer", "use", "lm-paraformer", "none")
    assert served.texts("paraformer") == before
