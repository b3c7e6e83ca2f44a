"""`triton-asr archive`: recognises all recordings of a manifest, once each, whatever dies."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, replace

from ...blocking.client import Client
from ...options import READY_TIMEOUT_S
from ...storage import temporary_folder
from ..addresses import is_url, require_leave
from ..common import EXIT_FAILED, EXIT_OK, ClientFactory, UsageError
from ..crew import Crew, Threads
from ..downloads import local_path
from ..input_files import InputFile
from ..recognition import Recognition
from ..recovery import ServerStayedAway
from .folder import open_folder
from .foreman import Foreman
from .ledger import Ledger, begin_anew
from .manifest import Entry, read_manifest
from .on_ray import ray_crew
from .options import FORMATS, add_archive_options
from .progress import Progress
from .settling import Ended, Task
from .worker import Worker, WorkOrder


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the sub-command does, and add its options."""
    parser.description = (
        "Recognise the recordings of a manifest and write results beside a ledger. The "
        "same command goes on where an earlier one ended, in whatever way."
    )
    add_archive_options(parser)


def run(options: argparse.Namespace, client_factory: ClientFactory) -> int:
    """Recognise what is left of an archive and return the exit code."""
    if options.workers is not None and options.ray is None:
        raise UsageError("--workers: expected --ray, too")
    recognition = Recognition.of(options)
    with ExitStack() as stack:
        work = stack.enter_context(temporary_folder())
        entries = _read(options, work)
        if any(entry.stretches for entry in entries):
            recognition = _without_vad(recognition)
        folder = open_folder(options.output_dir)
        stack.enter_context(folder.sole())
        client = stack.enter_context(client_factory(options.url, options.timeout, options.ca_file))
        recognition = recognition.for_server(client, min(options.timeout, READY_TIMEOUT_S))
        if options.force:
            begin_anew(folder)
        job = {**asdict(recognition), "format": options.format, "ordered": options.ordered}
        ledger = Ledger(folder, FORMATS[options.format], job)
        left = ledger.left(entries, again=options.retry_failed)
        if len(left) < len(entries):
            _tell(f"{len(entries) - len(left)} of {len(entries)} files are settled already")
        progress = Progress(len(entries), left, _tell)
        foreman = Foreman(
            left, ledger, progress, in_order=options.ordered, commit_s=options.commit_every
        )
        order = WorkOrder(
            url=options.url,
            timeout_s=options.timeout,
            ca_file=options.ca_file,
            recognition=recognition,
            style=options.format,
            server_wait_s=options.server_wait,
        )
        crew = stack.enter_context(_crew(options, order, client, work))
        try:
            foreman.run(crew)
        except ServerStayedAway as error:
            raise ServerStayedAway(
                f"{error}; {progress.line()}; the same command goes on with the rest"
            ) from error
    _tell(progress.line())
    failed = [entry for entry in entries if not ledger.states[entry.key][1]]
    if failed:
        _tell(
            f"{len(failed)} of {len(entries)} files have failed; {options.output_dir}/ledger says "
            "why, and --retry-failed tries them again"
        )
    return EXIT_FAILED if failed else EXIT_OK


def _read(options: argparse.Namespace, work: str) -> list[Entry]:
    """Read the manifest, from wherever it lies."""
    with ExitStack() as stack:
        paths = []
        for name in (options.manifest, options.segments):
            if name is not None and is_url(name):
                require_leave([name], allow_urls=options.allow_urls)
                source = InputFile(name, name, name, name)
                paths.append(stack.enter_context(local_path(source, work)))
            else:
                paths.append(name)
        return read_manifest(
            paths[0], paths[1], origin=options.manifest, allow_urls=options.allow_urls
        )


def _without_vad(recognition: Recognition) -> Recognition:
    """Return the same for stretches that somebody has cut already.

    Raises:
        UsageError: it asks for what only the pipeline of whole recordings does.
    """
    if recognition.vad:
        raise UsageError("--vad: the manifest says where the stretches are; leave it away")
    return replace(recognition, vad=False)


@contextmanager
def _crew(
    options: argparse.Namespace, order: WorkOrder, client: Client, work: str
) -> Iterator[Crew[Task, Ended]]:
    """Give those who do the work: workers of a Ray cluster, or threads of this process."""
    if options.ray is not None:
        with ray_crew(options.ray, order, options.concurrency, options.workers) as workers:
            yield workers
        return
    worker = Worker(client, order, work)

    def settle(task: Task) -> Ended:
        return Ended(task, worker.settle(task.entry))

    with closing(Threads(settle, options.concurrency)) as threads:
        yield threads


def _tell(message: str) -> None:
    print(f"triton-asr archive: {message}", file=sys.stderr)
