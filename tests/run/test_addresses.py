"""Where the doors say that they listen."""

from __future__ import annotations

import re

import pytest

from asr_server.run import Doors, DoorSettings, Endpoints, TritonServerError


def test_addresses_as_people_write_them():
    for host, shown in (("::1", "[::1]"), ("[::1]", "[::1]"), ("localhost", "localhost")):
        doors = Doors(Endpoints(host, 0, 0, 0), DoorSettings())
        lines = doors.addresses()
        doors.close()
        assert re.fullmatch(rf"HTTP +http://{re.escape(shown)}:\d+", lines[0])
        assert re.fullmatch(rf"gRPC +grpc://{re.escape(shown)}:\d+", lines[1])
    with pytest.raises(TritonServerError, match=r"HTTP: cannot listen on 192.0.2.1:0"):
        Doors(Endpoints("192.0.2.1", 0, 0, 0), DoorSettings())
