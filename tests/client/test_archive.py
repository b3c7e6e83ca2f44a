"""Archives: each recording settled once, whatever dies; no server, but real files."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_client.cli import main
from asr_client.cli.archive.folder import DiskFolder, open_folder
from asr_client.cli.archive.foreman import ORDER_WINDOW, Foreman
from asr_client.cli.archive.ledger import Ledger
from asr_client.cli.archive.manifest import Entry
from asr_client.cli.archive.progress import Progress
from asr_client.cli.archive.settling import Done, Ended, Failed, Lost
from asr_client.cli.common import UsageError
from asr_client.cli.input_files import InputFile
from asr_client.cli.output import OutputError
from asr_client.cli.recovery import ATTEMPTS
from tests.client.test_cli import FakeClient

JOB = {"model": "sensevoice", "format": "json"}


class Killed(BaseException):
    """The process is gone at this instant."""


class Mortal(DiskFolder):
    """A folder whose process is killed before a step of writing, or with half of a file there."""

    def __init__(self, path, steps):
        super().__init__(path)
        self.steps = steps

    def _step(self):
        self.steps -= 1
        if self.steps < 0:
            raise Killed

    def write(self, path, text):
        self._step()
        super().write(path, text)
        self._step()

    def remove(self, path):
        self._step()
        super().remove(path)


class Crew:
    """Ends what was begun in an order that is drawn; a bad one ends all that is beside it."""

    def __init__(self, draw, room, bad=frozenset()):
        self.draw, self.room, self.bad = draw, room, bad
        self.running = []
        self.begun = []

    @property
    def has_room(self):
        return len(self.running) < self.room

    @property
    def is_idle(self):
        return not self.running

    def begin(self, task):
        self.running.append(task)
        self.begun.append(task.index)

    def wait(self):
        sound = [task for task in self.running if task.entry.key not in self.bad]
        bad = len(sound) < len(self.running)
        if not sound or (bad and not self.draw(st.booleans())):
            lost, self.running = self.running, []
            return [Ended(task, Lost("it died")) for task in lost]
        task = sound[self.draw(st.integers(0, len(sound) - 1))]
        self.running.remove(task)
        outcome = self.draw(st.sampled_from(["done", "done", "done", "failed"]))
        if outcome == "failed":
            return [Ended(task, Failed("no audio"))]
        return [Ended(task, Done(f'{{"id": "{task.entry.key}"}}\n', 2.0, 0.1))]


def entries(count, duration_s=None):
    return [
        Entry(InputFile(f"/a/{i}.wav", f"u{i}", f"u{i}", f"u{i}", True), duration_s=duration_s)
        for i in range(count)
    ]


def results(folder):
    """Return the ids of the parts that count, in order."""
    parts = {name.split(".")[0] for name in folder.names("ledger")}
    return [
        json.loads(line)["id"]
        for name in folder.names("results")
        if name.split(".")[0] in parts
        for line in folder.read(f"results/{name}").splitlines()
    ]


def work(folder, crew, manifest, *, in_order=False, commit_s=0.0):
    ledger = Ledger(folder, ".jsonl", JOB)
    left = ledger.left(manifest)
    progress = Progress(len(manifest), left, lambda line: None)
    Foreman(left, ledger, progress, in_order=in_order, commit_s=commit_s).run(crew)
    return ledger


@settings(max_examples=20)  # each waits for the disk some fifty times
@given(data=st.data(), in_order=st.booleans(), lives=st.lists(st.integers(0, 12), max_size=6))
def test_whenever_the_driver_is_killed_each_recording_is_settled_once(
    tmp_path_factory, data, in_order, lives
):
    path = str(tmp_path_factory.mktemp("archive"))
    manifest = entries(9)
    for steps in lives:
        with suppress(Killed):
            work(Mortal(path, steps), Crew(data.draw, 3), manifest, in_order=in_order)
    ledger = work(DiskFolder(path), Crew(data.draw, 3), manifest, in_order=in_order)
    assert ledger.states.keys() == {entry.key for entry in manifest}
    done = [entry.key for entry in manifest if ledger.states[entry.key][1]]
    found = results(DiskFolder(path))
    assert found == done if in_order else Counter(found) == Counter(done)
    # No part is there that its reader would have to leave out.
    assert {name.split(".")[0] for name in DiskFolder(path).names("results")} <= {
        name.split(".")[0] for name in DiskFolder(path).names("ledger")
    }


@settings(max_examples=20)
@given(data=st.data(), in_order=st.booleans())
def test_a_recording_that_ends_its_workers_fails_alone(tmp_path_factory, data, in_order):
    folder = DiskFolder(str(tmp_path_factory.mktemp("archive")))
    crew = Crew(data.draw, 4, bad={"u1", "u2"})
    ledger = work(folder, crew, entries(7), in_order=in_order, commit_s=1e9)
    assert crew.begun.count(1) == crew.begun.count(2) == ATTEMPTS
    text = "".join(folder.read(f"ledger/{name}") for name in folder.names("ledger"))
    given_up = [line for line in map(json.loads, text.splitlines()) if "given up" in str(line)]
    assert {line["id"] for line in given_up} == {"u1", "u2"}
    assert given_up[0]["error"] == f"given up after {ATTEMPTS} workers: it died"
    assert ledger.states.keys() == {entry.key for entry in entries(7)}
    assert len(text.splitlines()) == 7


def test_a_server_that_is_lost_again_and_again_is_no_recording_s_fault(tmp_path):
    class Unlucky(Crew):
        def wait(self):
            task = self.running.pop()
            if self.begun.count(task.index) < 3 * ATTEMPTS:
                return [Ended(task, Lost("the server is gone", may_be_the_reason=False))]
            return [Ended(task, Done("{}\n", 1.0, 0.1))]

    ledger = work(DiskFolder(str(tmp_path)), Unlucky(None, 2), entries(3))
    assert all(has_result for _, has_result in ledger.states.values())


def test_in_order_nobody_runs_far_ahead_of_the_first(tmp_path):
    class FirstLast(Crew):
        def wait(self):
            assert max(self.begun) < self.running[0].index + ORDER_WINDOW
            last = self.running.pop()
            return [Ended(last, Done(f'{{"id": "{last.entry.key}"}}\n', 1.0, 0.1))]

    manifest = entries(ORDER_WINDOW + 50)
    folder = DiskFolder(str(tmp_path))
    work(folder, FirstLast(None, 10), manifest, in_order=True, commit_s=1e9)
    assert results(folder) == [entry.key for entry in manifest]


def test_an_id_that_is_another_file_now_is_not_taken_for_done(tmp_path):
    folder = DiskFolder(str(tmp_path))
    ledger = Ledger(folder, ".jsonl", JOB)
    (entry,) = entries(1)
    ledger.add(entry, Done("{}\n", 1.0, 0.1))
    ledger.commit()
    moved = Entry(InputFile("/b/0.wav", "u0", "u0", "u0", True))
    with pytest.raises(UsageError, match=r"'u0' was /a/0\.wav, and is /b/0\.wav now"):
        Ledger(folder, ".jsonl", JOB).left([moved])
    assert [e.key for e in Ledger(folder, ".jsonl", JOB).left([entry, *entries(3)[1:]])] == (
        ["u1", "u2"]
    )


def test_options_of_another_run_are_not_mixed(tmp_path):
    folder = DiskFolder(str(tmp_path))
    Ledger(folder, ".jsonl", JOB)
    with pytest.raises(UsageError, match=r"model 'sensevoice', now 'paraformer'; give another"):
        Ledger(folder, ".jsonl", {**JOB, "model": "paraformer"})


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("job.json", "{", "job.json"),
        ("job.json", "[]", "its results are of other options"),
        ("ledger/00000001.jsonl", "nonsense\n", "line 1: expected an object with id"),
        ("ledger/notes.jsonl", "", "expected numbered parts; got 'notes.jsonl'"),
    ],
)
def test_a_folder_that_is_no_ledger_is_refused(tmp_path, name, text, told):
    folder = DiskFolder(str(tmp_path))
    Ledger(folder, ".jsonl", JOB)
    folder.write(name, text)
    with pytest.raises(UsageError) as error:
        Ledger(folder, ".jsonl", JOB)
    assert told in str(error.value)


def test_two_runs_do_not_write_to_one_folder(tmp_path):
    with (
        DiskFolder(str(tmp_path)).sole(),
        pytest.raises(UsageError, match="another run writes there"),
        DiskFolder(str(tmp_path)).sole(),
    ):
        pass
    first, second = (Ledger(open_folder("memory://two"), ".jsonl", JOB) for _ in range(2))
    for ledger in (first, second):
        ledger.add(entries(1)[0], Failed("no audio"))
    first.commit()
    with pytest.raises(OutputError, match="another run writes there"):
        second.commit()


@pytest.mark.parametrize("known", [True, False])
def test_the_estimate_is_by_audio_where_the_manifest_has_it(known):
    now = 0.0
    manifest = [*entries(3), Entry(InputFile("/a/long.wav", "long", "long", "long", True))]
    if known:
        manifest = [*entries(3, 10.0), Entry(manifest[3].source, duration_s=970.0)]
    told = []
    progress = Progress(4, manifest, told.append, clock=lambda: now)
    for entry in manifest[:2]:
        progress.settled(entry, Done("", 10.0, 1.0))
    progress.settled(manifest[2], Failed("no audio"))
    progress.look_about()
    assert told == []
    now = 30.0
    progress.look_about()
    left = "16 min 10 s" if known else "10 s"
    assert told == [
        f"3 of 4 files (75.0%), 1 failed, 0.01 h of audio, 1 times real time, about {left} left"
    ]


def archive(tmp_path, client, *arguments):
    manifest = tmp_path / "list.jsonl"
    rows = [{"id": name[0], "audio": f"/{name}"} for name in ("a.wav", "b.wav", "c.wav")]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = arguments if "--output-dir" in arguments else ("--output-dir", str(tmp_path / "out"))
    command = ["archive", str(manifest), "--commit-every", "0", *arguments]
    return main([*command, *(out if out is not arguments else ())], client_factory=client)


def test_the_command_goes_on_and_tries_again_only_when_told(tmp_path, capsys):
    client = FakeClient({"/a.wav": "一", "/c.wav": "三"})
    assert archive(tmp_path, client) == 1
    assert "/b.wav: No such file" in capsys.readouterr().err
    client.texts["/b.wav"] = "二"
    client.asked.clear()
    assert archive(tmp_path, client) == 1
    err = capsys.readouterr().err
    assert "items" not in client.asked
    assert "3 of 3 files are settled already" in err
    assert "1 of 3 files have failed" in err
    assert archive(tmp_path, client, "--retry-failed") == 0
    assert client.asked["items"] == ["/b.wav"]
    folder = DiskFolder(str(tmp_path / "out"))
    assert sorted(results(folder)) == ["a", "b", "c"]
    assert archive(tmp_path, client, "--force") == 0
    assert sorted(client.asked["items"]) == ["/a.wav", "/b.wav", "/b.wav", "/c.wav"]
    assert sorted(results(folder)) == ["a", "b", "c"]


def test_results_and_audio_in_an_object_store(tmp_path, capsys):
    client = FakeClient({"/a.wav": "一", "/b.wav": "二", "/c.wav": "三"})
    where = ["--output-dir", "memory://archive/results"]
    assert archive(tmp_path, client, *where, "--format", "kaldi", "--ordered") == 0
    folder = open_folder("memory://archive/results")
    text = "".join(folder.read(f"results/{name}") for name in folder.names("results"))
    assert text == "a 一\nb 二\nc 三\n"
    assert archive(tmp_path, client, *where, "--format", "kaldi", "--ordered") == 0
    assert "3 of 3 files are settled already" in capsys.readouterr().err


def test_a_server_that_is_not_there_costs_no_recording(tmp_path, capsys):
    client = FakeClient(reachable=False)
    assert archive(tmp_path, client) == 3
    client = FakeClient({"/a.wav": "一", "/b.wav": "二", "/c.wav": "三"})
    assert archive(tmp_path, client) == 0


def test_an_interrupted_run_writes_what_it_has(tmp_path):
    texts = {"/a.wav": "一", "/b.wav": "二", "/c.wav": "三"}

    class Interrupted(FakeClient):
        def transcribe(self, audio, **options):
            if audio == "/c.wav":
                raise KeyboardInterrupt
            return super().transcribe(audio, **options)

    one = ["--concurrency", "1", "--commit-every", "1000"]
    assert archive(tmp_path, Interrupted(texts), *one) == 130
    client = FakeClient(texts)
    assert archive(tmp_path, client, *one) == 0
    assert client.asked["items"] == ["/c.wav"]
