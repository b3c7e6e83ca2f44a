"""The command line: what it accepts, what it prints, how it ends."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field

import pytest

from asr_client import AudioError, ConnectionFailed, ModelInfo, Pcm, Transcript
from asr_client.cli import build_parser, main


@dataclass
class FakeClient:
    """Answers each path with the text set for it.

    Attributes:
        texts: path → text; a path that is missing here fails.
        delays_s: path → how long its answer takes.
        asked: what the command line asked for.
        most_at_a_time: of the requests.
    """

    texts: dict[str, str] = field(default_factory=dict)
    reachable: bool = True
    interrupt: bool = False
    delays_s: dict[str, float] = field(default_factory=dict)
    asked: dict[str, object] = field(default_factory=dict)
    most_at_a_time: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way = 0

    def __call__(self, url, timeout_s, ca_file):
        self.asked.update(url=url, timeout_s=timeout_s, ca_file=ca_file)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.asked["closed"] = True

    def check_ready(self, model=None, *, timeout_s):
        if not self.reachable:
            raise ConnectionFailed("grpc://127.0.0.1:8001: readiness: refused")

    def is_ready(self, model, *, timeout_s):
        return model != "vad"

    def models(self):
        return [ModelInfo("sensevoice", "1"), ModelInfo("infer_pipeline", "2")]

    def transcribe(self, audio, **options):
        with self._lock:
            self.asked.update(options)
            self.asked.setdefault("items", []).append(audio)
            self._under_way += 1
            self.most_at_a_time = max(self.most_at_a_time, self._under_way)
        try:
            if self.interrupt:
                raise KeyboardInterrupt
            time.sleep(self.delays_s.get(audio, 0.0))
            return self._answer(audio)
        finally:
            with self._lock:
                self._under_way -= 1

    def _answer(self, audio):
        text = self.texts.get(audio.data if isinstance(audio, Pcm) else audio)
        if text is None:
            raise AudioError(f"{audio}: No such file")
        return Transcript(
            text=text,
            model="sensevoice",
            duration_s=1.5,
            tokens=list(text),
            timestamps_ms=[(60 * i, 60 * i + 60) for i in range(len(text))],
            confidence=[0.5] * len(text),
            language="zh",
            emotion="NEUTRAL",
            event="Speech",
            raw_text="<|zh|>" + text,
        )


@pytest.fixture
def client() -> FakeClient:
    return FakeClient({"a.wav": "你好", "dir/b.flac": "世界 再见", "with space.wav": "空格"})


def test_one_file_gives_only_its_text(client, capsys):
    assert main(["transcribe", "a.wav"], client_factory=client) == 0
    assert capsys.readouterr() == ("你好\n", "")
    assert client.asked["url"] == "grpc://127.0.0.1:8001"
    assert client.asked["closed"]


def test_several_files_give_path_and_text_in_the_order_given(client, capsys):
    client.delays_s["dir/b.flac"] = 0.3
    assert main(["transcribe", "dir/b.flac", "a.wav"], client_factory=client) == 0
    assert capsys.readouterr().out == "dir/b.flac\t世界 再见\na.wav\t你好\n"


def test_json_is_an_object_a_line(client, capsys):
    arguments = ["transcribe", "a.wav", "dir/b.flac", "--format", "json"]
    assert main(arguments, client_factory=client) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["file"] == "a.wav"
    (sentence,) = first["sentences"]
    assert [(word["start_ms"], word["end_ms"]) for word in sentence["words"]] == [
        (0, 60),
        (60, 120),
    ]
    assert second["sentences"][0]["emotion"] == "NEUTRAL"


def test_kaldi_is_id_and_text(client, capsys):
    arguments = ["transcribe", "dir/b.flac", "with space.wav", "--format", "kaldi"]
    assert main(arguments, client_factory=client) == 0
    assert capsys.readouterr().out == "b 世界 再见\nwith_space 空格\n"


def test_kaldi_ids_of_files_of_one_name_differ(client, capsys):
    client.texts |= {"x/a.wav": "一", "a.mp3": "二", "x/only.wav": "三"}
    arguments = ["transcribe", "x/a.wav", "a.wav", "a.mp3", "x/only.wav", "--format", "kaldi"]
    assert main(arguments, client_factory=client) == 0
    ids, texts = zip(*map(str.split, capsys.readouterr().out.splitlines()), strict=True)
    assert texts == ("一", "你好", "二", "三")
    assert len(set(ids)) == 4
    assert ids[2:] == ("a.mp3", "only")
    assert all(name.startswith("a.wav-") for name in ids[:2])


def test_kaldi_refuses_an_id_that_two_lists_give(client, capsys, tmp_path):
    for name in ("1.scp", "2.scp"):
        (tmp_path / name).write_text(f"a {name[0]}.wav\n")
    lists = [str(tmp_path / "1.scp"), str(tmp_path / "2.scp")]
    assert main(["transcribe", *lists, "--format", "kaldi"], client_factory=client) == 2
    assert "by the id 'a'" in capsys.readouterr().err


def test_options_reach_the_client(client):
    arguments = "transcribe a.wav --url http://h:1 --model paraformer --language zh --no-itn"
    main(f"{arguments} --timeout 7".split(), client_factory=client)
    expected = {"url": "http://h:1", "model": "paraformer", "language": "zh", "itn": False}
    expected |= {"timeout_s": 7.0}
    assert client.asked | expected == client.asked


def test_so_many_files_are_under_way_at_a_time(client):
    client.texts |= {f"{number}.wav": "好" for number in range(12)}
    client.delays_s |= {f"{number}.wav": 0.2 for number in range(12)}
    files = [f"{number}.wav" for number in range(12)]
    assert main(["transcribe", *files, "--concurrency", "3"], client_factory=client) == 0
    assert client.most_at_a_time == 3


def test_raw_files_bring_their_form(client, capsys):
    arguments = "transcribe a.wav --raw-rate 8000 --raw-format mulaw --raw-channels 2"
    assert main(arguments.split(), client_factory=client) == 0
    assert client.asked["items"] == [Pcm("a.wav", 8000, "mulaw", 2)]
    assert capsys.readouterr().out == "你好\n"


def test_a_file_that_fails_is_named_and_the_others_are_done(client, capsys):
    assert main(["transcribe", "a.wav", "gone.wav", "dir/b.flac"], client_factory=client) == 1
    out, err = capsys.readouterr()
    assert out == "a.wav\t你好\ndir/b.flac\t世界 再见\n"
    assert err.splitlines() == ["gone.wav: No such file", "1 of 3 files failed"]


def test_wav_scp_as_option_and_as_file(client, capsys, tmp_path):
    scp = tmp_path / "wav.scp"
    scp.write_text("utt1 a.wav\n\nutt2   with space.wav\n")
    for arguments in (["--wav-scp", str(scp)], [str(scp)]):
        command = ["transcribe", *arguments, "--format", "kaldi"]
        assert main(command, client_factory=client) == 0
        assert capsys.readouterr().out == "utt1 你好\nutt2 空格\n"
    assert main(["transcribe", str(scp)], client_factory=client) == 0
    assert capsys.readouterr().out == "utt1\t你好\nutt2\t空格\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("u1 a.wav\nu2 sox b.mp3 -t wav - |\n", "line 2: u2 is a shell command"),
        ("u1 a.wav\nlonely\n", "line 2: expected 'id path'; got 'lonely'"),
        ("u1 a.wav\nu1 b.wav\n", "line 2: id 'u1' is already on line 1"),
        ("", "nothing to transcribe"),
    ],
)
def test_a_wrong_wav_scp_is_refused_before_anything_is_sent(
    client, capsys, tmp_path, content, message
):
    scp = tmp_path / "wav.scp"
    scp.write_text(content)
    assert main(["transcribe", "--wav-scp", str(scp)], client_factory=client) == 2
    assert message in capsys.readouterr().err
    assert client.asked == {}


def test_a_missing_wav_scp_is_named(client, capsys):
    assert main(["transcribe", "missing.scp"], client_factory=client) == 2
    assert "missing.scp: No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "listen",
        "transcribe a.wav --format xml",
        "transcribe a.wav --language klingon",
        "transcribe a.wav --concurrency 0",
        "transcribe a.wav --concurrency x",
        "transcribe a.wav --timeout -1",
        "transcribe a.wav --timeout nan",
        "transcribe a.wav --raw-format s17le",
    ],
)
def test_wrong_arguments_end_with_2(client, arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments.split(), client_factory=client)
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("triton-asr") and "--help" in told
    assert len(told.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("transcribe a.wav --raw-format mulaw", "--raw-format: expected --raw-rate, too"),
        ("stream a.wav --raw-channels 2", "--raw-channels: expected --raw-rate, too"),
        ("transcribe a.wav --hotword words.txt", "words.txt: No such file or directory"),
        ('transcribe a.wav --hotword {"a":"x"}', "--hotword: expected a number as the weight"),
        ("stream a.wav --hotword [1,2", "--hotword: expected words separated by"),
        ("transcribe a.wav --output /", "--output /: Is a directory"),
        ("transcribe a.wav --output-dir /dev/null", "/dev/null: is a file"),
        ("transcribe a.wav --api-key-file missing", "--api-key-file missing: No such file"),
        ("transcribe a.wav --ca-file missing", "--ca-file: expected a PEM file; there is no file"),
        ("align a.wav /dev/null", "/dev/null: expected text; the file has none"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_line(arguments, told, capsys):
    assert main(arguments.split()) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and told in lines[0]


def test_a_wrong_url_ends_with_2(capsys):
    assert main(["models", "--url", "ftp://h"]) == 2
    assert "grpc://host:port" in capsys.readouterr().err


def test_a_server_out_of_reach_ends_with_3_and_one_message(capsys):
    assert main(["transcribe", "a.wav", "b.wav"], client_factory=FakeClient(reachable=False)) == 3
    assert capsys.readouterr().err.count("refused") == 1


def test_output_to_a_file(client, capsys, tmp_path):
    path = tmp_path / "out.txt"
    assert main(["transcribe", "a.wav", "--output", str(path)], client_factory=client) == 0
    assert path.read_text(encoding="utf-8") == "你好\n"
    assert capsys.readouterr().out == ""
    arguments = ["transcribe", "a.wav", "--output", str(tmp_path / "no" / "where")]
    assert main(arguments, client_factory=client) == 2


REFERENCES = {
    "kaldi": "a 你好吗\nb 世界再见\n",
    "tsv": "a.wav\tzh\t你好吗\nb.flac\tzh\t世界再见\n",
    "tsv-header": "language\ttext\tfile\nzh\t你好吗\ta.wav\nzh\t世界，再见。\tb.flac\n",
}


@pytest.mark.parametrize("form", REFERENCES)
def test_cer_goes_to_stderr(client, capsys, tmp_path, form):
    path = tmp_path / "ref"
    path.write_text(REFERENCES[form], encoding="utf-8")
    arguments = ["transcribe", "a.wav", "dir/b.flac", "--compute-cer", str(path)]
    assert main(arguments, client_factory=client) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 2
    first, err = err.split("\n", 1)
    assert "numbers are left as spoken" in first
    assert client.asked["itn"] is False
    assert err.startswith("CER 14.29 % (1 / 7 characters: 0 substituted, 1 deleted, 0 inserted; 2")


def test_cer_counts_failures_as_deleted_and_leaves_out_what_has_no_reference(
    client, capsys, tmp_path
):
    path = tmp_path / "ref"
    path.write_text("a 你好\ngone 没有了\n", encoding="utf-8")
    arguments = ["transcribe", "a.wav", "gone.wav", "dir/b.flac", "--compute-cer", str(path)]
    assert main(arguments, client_factory=client) == 1
    err = capsys.readouterr().err
    assert "CER 60.00 % (3 / 5 characters" in err
    assert "2 recordings, 1 of them failed and count as deleted; 1 without a reference" in err


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "empty file"), ("a x\na y\n", "line 2: id 'a' is there twice"), ("a\tx\nb\n", "line 2")],
)
def test_a_wrong_reference_file_ends_with_2(client, capsys, tmp_path, content, message):
    path = tmp_path / "ref"
    path.write_text(content)
    arguments = ["transcribe", "a.wav", "--compute-cer", str(path)]
    assert main(arguments, client_factory=client) == 2
    assert message in capsys.readouterr().err


def test_models_are_listed(client, capsys):
    assert main(["models"], client_factory=client) == 0
    assert capsys.readouterr().out == "infer_pipeline\t2\nsensevoice\t1\n"


def test_an_interruption_ends_with_130(capsys):
    client = FakeClient(interrupt=True)
    assert main(["transcribe", "a.wav"], client_factory=client) == 130
    assert capsys.readouterr().err == "triton-asr: interrupted\n"
    assert client.asked["closed"]


def test_exit_codes_are_in_the_help():
    assert "130 interrupted" in " ".join(build_parser().format_help().split())
