"""Triton's control of models, over a connection that is not open to clients."""

from __future__ import annotations

import base64
import http.client
import json
import select
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from asr_server.run.installation import TritonServerError

Connect = Callable[[float], http.client.HTTPConnection]
_INDEX_TIMEOUT_S = 10.0
_NOTHING = {  # a model that does nothing, as parameters of a load
    "config": json.dumps(
        {
            "backend": "python",
            "input": [{"name": "IN", "data_type": "TYPE_INT32", "dims": [1]}],
            "output": [{"name": "OUT", "data_type": "TYPE_INT32", "dims": [1]}],
        }
    ),
    "file:1/model.py": base64.b64encode(b"class TritonPythonModel: pass\n").decode(),
}
_LOOK_S = 0.2


class ModelControl:
    """Loads and unloads models of a server that was started with `explicit` control.

    Args:
        connect: returns a connection to the server's HTTP, given a timeout in seconds.
        headers: of each request, such as a key.
        is_running: whether the server's process lives. Its end need not end a connection: the
            models' processes inherit those that are open when they are started.
    """

    def __init__(
        self,
        connect: Connect,
        headers: Mapping[str, str] | None = None,
        is_running: Callable[[], bool] = lambda: True,
    ) -> None:
        self._connect = connect
        self._headers = dict(headers or {})
        self._is_running = is_running

    def load(self, model: str, timeout_s: float) -> None:
        """Load a model, anew if it is loaded; returns when it is ready.

        Raises:
            TritonServerError: it cannot be loaded, or not in time.
        """
        self._post(f"models/{quote(model, safe='')}/load", timeout_s)

    def unload(self, model: str, timeout_s: float) -> None:
        """Unload a model; requests under way finish first. A model that is not there is no error.

        Raises:
            TritonServerError: it cannot be unloaded.
        """
        self._post(f"models/{quote(model, safe='')}/unload", timeout_s)

    def load_nothing(self, model: str, timeout_s: float) -> None:
        """Load a model that does nothing under a name.

        Triton is not ready while there is a model that it has failed to load. It forgets only
        models that it has loaded and unloaded.

        Raises:
            TritonServerError: it cannot be loaded, or not in time.
        """
        self._post(f"models/{quote(model, safe='')}/load", timeout_s, {"parameters": _NOTHING})

    def index(self) -> list[dict[str, Any]]:
        """Return the models of the repositories: name, and version, state, reason where known.

        A reason is one line; Triton's log has the stack of a model that failed, too.

        Raises:
            TritonServerError: the server does not answer.
        """
        entries: list[dict[str, Any]] = json.loads(self._post("index", _INDEX_TIMEOUT_S))
        for entry in entries:
            if "reason" in entry:
                entry["reason"] = _in_short(entry["reason"])
        return entries

    def _post(self, what: str, timeout_s: float, payload: Mapping[str, Any] | None = None) -> bytes:
        connection = self._connect(timeout_s)
        body = json.dumps(payload or {}).encode()
        try:
            connection.request("POST", f"/v2/repository/{what}", body=body, headers=self._headers)
            self._wait_for_answer(connection.sock, timeout_s)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise TritonServerError(f"Triton does not answer ({error!r})") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise TritonServerError(_message(body))
        return body

    def _wait_for_answer(self, connection: socket.socket, timeout_s: float) -> None:
        """Wait until there is something to read.

        Raises:
            TritonServerError: the server's process has ended.
            TimeoutError: there is no answer.
        """
        deadline_s = time.monotonic() + timeout_s
        waiting = select.poll()  # `select` takes no descriptor above 1023
        waiting.register(connection, select.POLLIN)
        while not waiting.poll(1000 * _LOOK_S):
            if not self._is_running():
                raise TritonServerError("Triton has ended before it answered")
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"no answer within {timeout_s:g} s")


def _message(body: bytes) -> str:
    """Return Triton's own words for a failure."""
    try:
        return _in_short(str(json.loads(body)["error"]))
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:500]


def _in_short(reason: str) -> str:
    """Return a reason as one line, without the stack that Triton hangs on to it."""
    return " ".join(reason.partition("\n\nAt:")[0].split())
