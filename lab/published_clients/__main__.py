"""Runs published clients against the gateway and Triton, and writes docs/clients.md."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import soundfile

from asr_client import Client
from asr_contract import SAMPLE_RATE
from asr_server.places import ROOT
from tests.gateway.gateways import RunningGateway, recognise, running_gateway
from tests.serving import EMBEDDED, serve_models

from .cases import CASES, HOTWORDS, Case
from .install import node_folder, python_of
from .material import write_certificate, write_recordings
from .recording import http_tap, websocket_tap
from .table import Outcome, page

TIMEOUT_S = 300
RECORDED = ROOT / "tests" / "gateway" / "recorded"
_NOT_LETTERS = re.compile(r"[\W_]+")


def main() -> int:
    """Run the cases; returns 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m lab.published_clients", description=__doc__)
    parser.add_argument("--funasr", type=Path, metavar="DIR", help="a checkout of FunASR")
    parser.add_argument("--triton-asr-client", type=Path, metavar="DIR", help="one of that")
    parser.add_argument("--triton", metavar="URL", help="a server with the embedded models")
    parser.add_argument("--only", default="", metavar="TEXT", help="clients whose name has it")
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "published_clients")
    parser.add_argument(
        "--record",
        action="store_true",
        help=f"write the exchanges with the gateway to {RECORDED.relative_to(ROOT)}",
    )
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "clients.md")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        if options.triton:
            outcomes = run_all(options, options.triton, Path(folder))
        else:
            with serve_models(Path(folder, "models"), EMBEDDED) as server:
                outcomes = run_all(options, f"grpc://{server.grpc_url}", Path(folder))
    if not options.only:
        commits = {
            "commit": _commit(ROOT),
            "funasr": _commit(options.funasr),
            "triton_asr_client": _commit(options.triton_asr_client),
        }
        options.page.write_text(page(outcomes, commits), encoding="utf-8")
    return int(any(outcome.problem for outcome in outcomes))


def run_all(options: argparse.Namespace, triton_url: str, folder: Path) -> list[Outcome]:
    """Run the cases that are asked for."""
    places = write_recordings(folder)
    places |= {"triton": triton_url.removeprefix("grpc://"), "host": "127.0.0.1"}
    places["triton_port"] = places["triton"].rpartition(":")[2]
    checkouts = {"funasr": options.funasr, "triton_asr_client": options.triton_asr_client}
    places |= {name: str(path) for name, path in checkouts.items() if path is not None}
    texts: dict[str, str] = {}
    outcomes = []
    certificate, key = write_certificate(folder)
    places["certificate"] = str(certificate)
    for service, tls in (("2pass", False), ("offline", False), ("2pass", True)):
        settings = {"certfile": certificate, "keyfile": key} if tls else {}
        with running_gateway(triton_url, service=service, **settings) as gateway:
            texts = texts or expected_texts(triton_url, gateway, places)
            for case in CASES:
                is_here = (case.service, case.tls) == (service, tls)
                if is_here and options.only.lower() in case.client.lower():
                    with tapped(case, gateway, places, record=options.record) as known:
                        outcomes.append(run(case, places | known, texts, options.work))
                    print(f"{case.client}: {case.what}: {outcomes[-1].came}", flush=True)
                    if outcomes[-1].problem:
                        print(outcomes[-1].output[-3000:], flush=True)
    return sorted(outcomes, key=lambda outcome: CASES.index(outcome.case))


def expected_texts(
    triton_url: str, gateway: RunningGateway, files: dict[str, str]
) -> dict[str, str]:
    """Return what the models say of the recording, letters only.

    "sensevoice", "mp3" and "chinese" (told the language) are the SDK's file pipeline, "whole"
    (SenseVoice), "paraformer" and "streaming" the recording as one, as Triton's own clients ask for
    it; "online …" the gateway's stream of each utterance, to the tests' plain client.
    """
    samples, _ = soundfile.read(files["wav"], dtype="float32")
    with Client(triton_url) as client:
        file = client.transcribe_file(files["wav"])
        told = client.transcribe_file(files["wav"], hotwords=HOTWORDS)
        texts = {
            "sensevoice": file.text,
            "sentence 1": file.sentences[0].text,
            "sentence 2": file.sentences[1].text,
            "hotwords 1": told.sentences[0].text,
            "hotwords 2": told.sentences[1].text,
            "mp3": client.transcribe_file(files["mp3"]).text,
            "chinese": client.transcribe_file(files["wav"], language="zh").text,
            "whole": client.transcribe(samples, sample_rate=SAMPLE_RATE).text,
            "paraformer": client.transcribe(
                samples, sample_rate=SAMPLE_RATE, model="paraformer"
            ).text,
        }
        with client.stream() as session:
            session.send(samples)
            texts["streaming"] = session.finish().text
    data = (samples * 32768).astype("<i2").tobytes()
    for size in ("5,10,5", "0,10,5"):
        replies = asyncio.run(recognise(gateway, data, mode="online", chunk_size=size))
        texts[f"online {size}"] = "".join(reply["text"] for reply in replies)
    return {name: letters(text) for name, text in texts.items()}


def letters(text: str) -> str:
    """Return a text without marks and spaces."""
    return _NOT_LETTERS.sub("", text).lower()


@contextmanager
def tapped(
    case: Case, gateway: RunningGateway, places: dict[str, str], *, record: bool
) -> Iterator[dict[str, str]]:
    """Give where the gateway is for a case, behind taps if its exchanges are to be recorded."""
    if not record or not case.recorded:
        port = gateway.address.rpartition(":")[2]
        yield {"ws": gateway.ws, "http": gateway.http, "realtime": gateway.http, "port": port}
        return
    spoken: list[str] = []
    asked: list[str] = []
    with (
        websocket_tap(gateway.address, spoken) as ws_port,
        http_tap(gateway.address, Path(places["wav"]), asked) as http_port,
    ):
        yield {
            "ws": f"ws://127.0.0.1:{ws_port}",
            "http": f"http://127.0.0.1:{http_port}",
            "realtime": f"http://127.0.0.1:{ws_port}",
            "port": str(ws_port),
        }
    for suffix, exchanges in (("jsonl", spoken), ("json", asked)):
        for number, exchange in enumerate(exchanges, 1):
            path = RECORDED / f"{case.recorded}-{number}.{suffix}"
            path.write_text(exchange, encoding="utf-8")


def run(case: Case, known: dict[str, str], texts: dict[str, str], work: Path) -> Outcome:
    """Run a case."""
    missing = [name for name in case.needs if name not in known]
    if missing:
        return Outcome(case, f"not run: no checkout ({', '.join(missing)})", "", 0.0)
    arguments = [argument.format(**known) for argument in case.command]
    begun_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        if case.environment == "node":
            script = Path(node_folder(work), Path(arguments[0]).name)
            script.write_text(Path(arguments[0]).read_text(encoding="utf-8"), encoding="utf-8")
            command = ["node", str(script), *arguments[1:]]
        else:
            command = [str(python_of(work, case.environment)), *arguments]
        own = {name: value.format(**known) for name, value in case.variables.items()}
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=variables | own | {"PYTHONIOENCODING": "utf-8"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_S,
                check=False,
            )
            status, output = done.returncode, done.stdout.decode("utf-8", "replace")
        except subprocess.TimeoutExpired as late:
            status, output = -1, (late.stdout or b"").decode("utf-8", "replace")
    problem = _problem(case, status, output, texts)
    return Outcome(case, problem, output, time.monotonic() - begun_s)


def _problem(case: Case, status: int, output: str, texts: dict[str, str]) -> str:
    """Return what is wrong with an output; "" for nothing."""
    if status:
        return f"exit status {status}"
    heard = letters(output)
    for name in case.expects:
        if texts[name] not in heard:
            return f"not the text of {name}, {texts[name]}"
    for each in case.also:
        if each not in output:
            return f"no {each!r}"
    return ""


def _commit(checkout: Path | None) -> str:
    if checkout is None:
        return "(none)"
    command = ["git", "-C", str(checkout), "rev-parse", "--short=8", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
