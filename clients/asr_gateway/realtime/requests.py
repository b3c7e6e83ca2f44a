"""A client's events, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asr_contract.bounded_json import parse_json

_MAX_SHOWN = 80
_MAX_EVENT_ID = 512


class RequestProblem(Exception):
    """An event cannot be done; the text says what was expected and what came.

    Attributes:
        param: the field that is to blame.
        code: a word for programs, OpenAI's where it has one.
    """

    def __init__(
        self, message: str, *, param: str | None = None, code: str | None = "invalid_value"
    ) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


def read_event(text: str) -> dict[str, Any]:
    """Return a client's event.

    Raises:
        RequestProblem: it is no JSON object.
    """
    try:
        event = parse_json(text)
    except ValueError as error:
        problem = f"expected JSON; got {shown(text)} ({error})"
        raise RequestProblem(problem, code="invalid_json") from None
    if not isinstance(event, dict):
        raise RequestProblem(f"expected a JSON object; got {shown(event)}", code="invalid_json")
    return event


def event_id_of(event: Mapping[str, Any]) -> str | None:
    """Return the name that a client gave its event, by which an error refers to it."""
    name = event.get("event_id")
    return name if isinstance(name, str) and len(name) <= _MAX_EVENT_ID else None


def wrong(param: str, expected: str, got: Any, *, code: str = "invalid_value") -> RequestProblem:
    """Return what is wrong with a field."""
    return RequestProblem(f"{param}: expected {expected}; got {shown(got)}", param=param, code=code)


def shown(value: Any) -> str:
    """Return a value for a message, shortened."""
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"


class Fields:
    """The fields of an object in an event, read one by one; what was not read is not known.

    Args:
        value: the object.
        param: where it stands in the event.

    Raises:
        RequestProblem: it is no object.
    """

    def __init__(self, value: Any, param: str) -> None:
        if not isinstance(value, dict):
            raise wrong(param, "an object", value, code="invalid_type")
        self._fields = dict(value)
        self.param = param

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def path(self, name: str) -> str:
        """Return where a field stands in the event."""
        return f"{self.param}.{name}"

    def take(self, name: str) -> Any:
        """Return a field's value; None where it is not there, too."""
        return self._fields.pop(name, None)

    def text(self, name: str, default: str) -> str:
        """Return a field that is text."""
        value = self.take(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise wrong(self.path(name), "text", value, code="invalid_type")
        try:
            value.encode()
        except UnicodeEncodeError:  # half a character, which JSON can write
            raise wrong(self.path(name), "whole characters", value) from None
        return value.strip()

    def texts(self, name: str) -> list[str]:
        """Return a field that is a list of texts."""
        values = self.take(name)
        if values is None:
            return []
        if not isinstance(values, list):
            raise wrong(self.path(name), "a list of texts", values, code="invalid_type")
        numbered = {str(number): value for number, value in enumerate(values)}
        inner = Fields(numbered, self.path(name))
        return [inner.text(number, "") for number in numbered]

    def number(self, name: str, low: float, high: float, default: float) -> float:
        """Return a field that is a number in a range."""
        value = self.take(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise wrong(self.path(name), "a number", value, code="invalid_type")
        if not low <= value <= high:
            raise wrong(self.path(name), f"{low:g} to {high:g}", value)
        return value

    def flag(self, name: str) -> bool | None:
        """Return a field that is true or false; None where it is not there."""
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            raise wrong(self.path(name), "true or false", value, code="invalid_type")
        return value

    def finish(self, note: str = "") -> None:
        """Refuse what was not read."""
        for name in self._fields:
            raise RequestProblem(
                f"{self.path(name)}: no such field here{note}",
                param=self.path(name),
                code="unknown_parameter",
            )
