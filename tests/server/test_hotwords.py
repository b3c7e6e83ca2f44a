"""Hotwords on a real server: as `funasr_onnx` uses them, whatever the neighbours ask for."""

from __future__ import annotations

import asyncio
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile
from tritonclient.utils import InferenceServerException

from asr_client import AsyncClient, Client, RequestRejected
from asr_client.cli import main
from asr_contract import parse_hotwords
from asr_core.paraformer import load_hotword_bias, load_pieces
from asr_gateway.shared.hotwords import HotwordCheck
from asr_server.run import TritonServer
from tests.funasr_reference import ParaformerReference
from tests.recordings import cut, heldout
from tests.serving import (
    RANDOM_MODELS,
    RawClient,
    install_models,
    running,
    serve_models,
    set_parameter,
)

NAMES = [
    f"{kind}_paraformer-{size}"
    for kind in ("contextual", "seaco")
    for size in ("tiny-seed0", "small-seed1")
]
ROUNDING_MS = 1


def words_of(model_dir, count, seed=0):
    """Different words of one to three characters that the vocabulary has."""
    pieces = load_pieces(model_dir)
    characters = [piece for piece in pieces if "一" <= piece <= "龥"]
    words = ["".join(p) for n in (1, 2, 3) for p in itertools.product(characters[:7], repeat=n)]
    order = np.random.default_rng(seed).permutation(len(words))
    return [words[index] for index in order[:count]]


class Served:
    """A server with one model that takes hotwords, and `funasr_onnx` on the same files."""

    def __init__(self, source, server):
        self.source, self.server, self.client = source, server, RawClient(server)
        self.reference = ParaformerReference(source)

    def recognise(self, samples, words, rows=1):
        parameters = {"hotwords": " ".join(words)} if words else None
        return self.client.recognise("paraformer", [samples] * rows, parameters=parameters)[0]


@pytest.fixture(scope="module", params=NAMES)
def served(request, tmp_path_factory):
    source = RANDOM_MODELS / request.param
    work = tmp_path_factory.mktemp(request.param)
    # As on a GPU: batches form of different lengths too. The search, which the reference lacks,
    # leaves hotwords to the encoder.
    parameters = {"join_lengths": "1", "concurrent_runs": "1", "hotword_increment": "0"}
    with serve_models(work, {"paraformer": source}, parameters) as server:
        yield Served(source, server)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A server with a list of its own and a low limit."""
    source = RANDOM_MODELS / NAMES[-1]
    work = tmp_path_factory.mktemp("list")
    (repository,) = install_models(work, {"paraformer": source})
    extractor = repository / "paraformer_feature_extractor"  # what the encoder attends to
    config = (extractor / "config.pbtxt").read_text(encoding="utf-8")
    (extractor / "config.pbtxt").write_text(config.replace('"500"', '"20"'), encoding="utf-8")
    set_parameter(repository, "hotword_increment", "0")
    listed = words_of(source, 3, seed=9)
    lines = "".join(f"{word} 20\n" for word in listed)
    (extractor / "hotwords.txt").write_text(lines, "utf-8")
    with running(TritonServer([repository], log=work / "server.log")) as server:
        yield Served(source, server), listed


def recordings():
    return [cut(seconds, 3 * seconds) for seconds in (0.4, 1.7, 4.0, 9.0)] + [
        samples for _, _, samples in heldout()[:3]
    ]


@pytest.mark.parametrize("count", [0, 1, 5, 50, 51, 120])
def test_text_and_times_are_funasr_s(served, count):
    words = words_of(served.source, count)
    for samples in recordings():
        answer = served.recognise(samples, words)
        text, times = served.reference.text_and_times(samples, " ".join(words))
        assert answer.transcript == text
        if times is not None:
            np.testing.assert_allclose(answer.timestamps, times, atol=ROUNDING_MS)


def test_hotwords_change_the_text(served):
    lists = [[], *([word] for word in words_of(served.source, 6)), words_of(served.source, 60)]
    texts = {served.recognise(cut(9.0, 27.0), words).transcript for words in lists}
    assert len(texts) > 1


def test_neighbours_hotwords_change_nothing(served):
    """Lists of equal and of different size, on equal and different audio, all at once."""
    sizes = [0, 3, 3, 3, 60, 60, 7, 1]
    lists = [words_of(served.source, size, seed) for seed, size in enumerate(sizes)]
    asked = [(samples, words) for words in lists for samples in recordings()]
    solo = [served.recognise(samples, words) for samples, words in asked]
    order = np.random.default_rng(2).permutation(len(asked)).tolist()
    with ThreadPoolExecutor(16) as pool:
        answers = pool.map(lambda index: served.recognise(*asked[index]), order)
        together = dict(zip(order, answers, strict=True))
    assert [together[index] for index in range(len(asked))] == solo


def test_all_rows_of_a_request_have_its_hotwords(served):
    words = words_of(served.source, 4)
    rows = recordings()
    parameters = {"hotwords": " ".join(words)}
    answers = served.client.recognise("paraformer", rows, parameters=parameters)
    assert answers == [served.recognise(samples, words) for samples in rows]


def test_every_form_is_understood(small):
    served, _ = small
    words = words_of(served.source, 4)
    expected = served.recognise(cut(4.0, 9.0), words)
    forms = [
        "\n".join(f"{word} 20" for word in words),
        "，".join(words),
        str(words).replace("'", '"'),
        str(dict.fromkeys(words, 20)).replace("'", '"'),
    ]
    for form in forms:
        (answer,) = served.client.recognise(
            "paraformer", [cut(4.0, 9.0)], parameters={"hotwords": form}
        )
        assert answer == expected


def test_the_server_s_own_list(small):
    served, listed = small
    for words in ([], words_of(served.source, 5, seed=1)):
        everything = list(dict.fromkeys([*words, *listed]))
        for samples in recordings():
            text, _ = served.reference.text_and_times(samples, " ".join(everything))
            assert served.recognise(samples, words).transcript == text


@pytest.mark.parametrize(
    "hotwords, message",
    [
        ('{"的": ', "hotwords: expected words .* got broken JSON"),
        (20, "hotwords: expected text, got int"),
    ],
)
def test_bad_hotwords_fail_alone(small, hotwords, message):
    served, _ = small
    samples = cut(1.7, 3.0)
    expected = served.recognise(samples, ["的"])

    def send(index):
        if index % 3:
            return served.recognise(samples, ["的"])
        with pytest.raises(InferenceServerException, match=message):
            served.client.recognise("paraformer", [samples], parameters={"hotwords": hotwords})
        return expected

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(send, range(9))) == [expected] * 9


UNUSABLE = {
    "的龘": "left out: hotword '的龘': the model's vocabulary has no '龘'",
    "C++": "left out: hotword 'C++': the model's vocabulary has no '+'",
    "的" * 11: f"left out: hotword {'的' * 11!r}: expected at most 10 characters, got 11",
}


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_word_that_cannot_be_spelt_is_left_out_by_name(small, scheme, tmp_path, capsys):
    served, _ = small
    words = words_of(served.source, 6, seed=3)
    samples = cut(4.0, 9.0)
    expected = served.recognise(samples, words).transcript
    address = served.server.http_url if scheme == "http" else served.server.grpc_url
    url = f"{scheme}://{address}"
    both = [*UNUSABLE, *words]
    with Client(url) as client:
        got = client.transcribe(samples, model="paraformer", sample_rate=16_000, hotwords=both)
    assert (got.text, got.warnings) == (expected, list(UNUSABLE.values()))

    async def checked():
        async with AsyncClient(url) as client:
            return await HotwordCheck(client, words[0]).usable("infer_pipeline", " ".join(both))

    hotwords, warning = asyncio.run(checked())
    assert set(both) == {word.text for word in parse_hotwords(hotwords)}
    assert warning == "; ".join(UNUSABLE.values())

    wav, listed = tmp_path / "a.wav", tmp_path / "words.txt"
    soundfile.write(wav, samples, 16_000, subtype="FLOAT")
    listed.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(both).encode())
    asked = ["transcribe", str(wav), "--url", url, "--model", "paraformer", "--no-vad"]
    assert main([*asked, "--hotword", str(listed)]) == 0
    printed = capsys.readouterr()
    assert expected in printed.out
    for problem in UNUSABLE.values():
        assert f"warning: {problem}" in printed.err


def test_a_list_of_the_servers_with_such_a_word_is_used_without_it(tmp_path):
    source = RANDOM_MODELS / NAMES[-1]
    (repository,) = install_models(tmp_path, {"paraformer": source})
    words = words_of(source, 2)
    folder = repository / "paraformer_feature_extractor"
    folder.joinpath("hotwords.txt").write_text("\ufeff" + "\r\n".join(["龘", *words]), "utf-8")
    bias = load_hotword_bias(folder / "1", 20)
    assert len(bias("")) == 3
    folder.joinpath("hotwords.txt").unlink()
    np.testing.assert_allclose(bias(""), load_hotword_bias(folder / "1", 20)(" ".join(words)))


def test_of_too_many_the_encoder_attends_to_the_requests_heaviest(small):
    """The limit is 20; three are the server's."""
    served, listed = small
    others = [word for word in words_of(served.source, 40) if word not in listed]
    samples = cut(1.7, 3.0)
    weights = {word: 9.0 if index < 20 else 1.0 for index, word in enumerate(others[:25])}
    with Client(f"grpc://{served.server.grpc_url}") as client:
        got = client.transcribe(samples, model="paraformer", sample_rate=16_000, hotwords=weights)
    assert got.text == served.recognise(samples, others[:20]).transcript
    (warning,) = got.warnings
    assert warning == (
        "left out: hotwords: the encoder attends to the 20 heaviest of 25 (max_hotwords)"
    )


@pytest.mark.parametrize("kind", ["paraformer", "sensevoice"])
def test_no_hotwords_are_as_none(triton_server, kind):
    (answer,) = triton_server.client.recognise(kind, [cut(1.0, 3.0)], parameters={"hotwords": " "})
    assert answer == triton_server.client.recognise(kind, [cut(1.0, 3.0)])[0]


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_clients(small, scheme, tmp_path, capsys):
    served, _ = small
    words = words_of(served.source, 6, seed=3)
    samples = cut(4.0, 9.0)
    expected = served.recognise(samples, words).transcript
    address = served.server.http_url if scheme == "http" else served.server.grpc_url
    url = f"{scheme}://{address}"
    options = {"model": "paraformer", "sample_rate": 16_000}
    with Client(url) as client:
        for hotwords in (words, dict.fromkeys(words, 2.5), " ".join(words)):
            answer = client.transcribe(samples, hotwords=hotwords, **options)
            assert answer.text == expected
        (outcome,) = client.transcribe_many([samples], hotwords=words, **options)
        assert outcome.transcript.text == expected
        with pytest.raises(RequestRejected, match="got broken JSON"):
            client.transcribe(samples, hotwords='["的"', **options)

    async def ask():
        async with AsyncClient(url) as client:
            return await client.transcribe(samples, hotwords=words, **options)

    assert asyncio.run(ask()).text == expected

    path, listed = tmp_path / "speech.raw", tmp_path / "hotwords.txt"
    samples.tofile(path)
    listed.write_text("".join(f"{word} 20\n" for word in words), encoding="utf-8")
    raw = ["--raw-rate", "16000", "--raw-format", "f32le", "--model", "paraformer"]
    for hotword in (" ".join(words), str(listed)):
        assert main(["transcribe", str(path), "--url", url, *raw, "--hotword", hotword]) == 0
        assert capsys.readouterr().out.strip() == expected
