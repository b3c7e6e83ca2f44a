"""One server with both embedded models for all tests that need no other."""

from __future__ import annotations

import signal
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings

from asr_server.run import TritonServer
from asr_server.run.traces import trace_arguments
from tests import prepared_models
from tests.collector import running_collector
from tests.serving import EMBEDDED, TINY_ALIGNER, RawClient, serve_models

# How long an example takes says more about what else the machine does than about the code, and the
# same code gets the same examples, so that a run fails by a change and not by luck. New ones, now
# and then: --hypothesis-profile new
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", untimed, derandomize=True)
settings.register_profile("new", untimed)
settings.load_profile("same")


# A shell starts what it puts into the background with Ctrl-C ignored, and children inherit that.
# The tests send Ctrl-C to programs that they start, which must not depend on where the suite runs.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config):
    if not hasattr(config, "workerinput"):  # pytest-xdist's processes share that of their parent
        prepared_models.make_folder()


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        prepared_models.remove_folder()


@dataclass(frozen=True)
class RunningServer:
    """A server that is up.

    Attributes:
        http_url, grpc_url: with scheme, as the SDK takes them.
        server: its process.
        client: plain requests to it.
    """

    http_url: str
    grpc_url: str
    server: TritonServer
    client: RawClient


@pytest.fixture(scope="session")
def collector():
    with running_collector() as collector:
        yield collector


@pytest.fixture(scope="session")
def triton_server(tmp_path_factory, collector):
    work = tmp_path_factory.mktemp("embedded")
    traces = trace_arguments({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint})
    traces += ["--trace-config=opentelemetry,bsp_schedule_delay=500"]  # not every five seconds
    with serve_models(work, EMBEDDED, extra_args=traces) as server:
        yield RunningServer(
            f"http://{server.http_url}", f"grpc://{server.grpc_url}", server, RawClient(server)
        )


@pytest.fixture(scope="session")
def aligner_server(tmp_path_factory):
    """A server with SenseVoice and an aligner, whose weights are random."""
    sources = {"sensevoice": EMBEDDED["sensevoice"], "aligner": TINY_ALIGNER}
    with serve_models(tmp_path_factory.mktemp("fa-zh"), sources) as server:
        yield RunningServer(
            f"http://{server.http_url}", f"grpc://{server.grpc_url}", server, RawClient(server)
        )
