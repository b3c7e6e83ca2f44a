"""Reads single fields of a form."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import FormData

from .api_errors import ApiError

MAX_SHOWN = 80


def choice(form: FormData, name: str, known: Sequence[str], default: str) -> str:
    """Return a field that is one of a few words; `default` where it is empty or not there."""
    word = read_text_field(form, name) or default
    if word not in known:
        raise field_error(name, f"one of {', '.join(known)}", word)
    return word


def choices(form: FormData, name: str, known: Sequence[str]) -> list[str]:
    """Return the values of a list, all of them known."""
    values = texts(form, name)
    for value in values:
        if value not in known:
            raise field_error(f"{name}[]", f"one of {', '.join(known)}", value)
    return values


def flag(form: FormData, name: str, *, default: bool) -> bool:
    """Return a field that is true or false."""
    word = read_text_field(form, name).lower()
    if word not in ("", "true", "false", "1", "0"):
        raise field_error(name, "true or false", word)
    return word in ("true", "1") if word else default


def read_text_field(form: FormData, name: str) -> str:
    """Return a field that is text; "" where there is none."""
    value = form.get(name, "")
    if not isinstance(value, str):
        raise ApiError(400, f"{name}: expected text; got a file", param=name)
    return value.strip()


def texts(form: FormData, name: str) -> list[str]:
    """Return the values of a list, which clients write with brackets or without."""
    values = [value for key in (f"{name}[]", name) for value in form.getlist(key)]
    for value in values:
        if not isinstance(value, str):
            raise ApiError(400, f"{name}[]: expected text; got a file", param=f"{name}[]")
    return [str(value).strip() for value in values]


def field_error(name: str, expected: str, got: object) -> ApiError:
    """Return the refusal of a field."""
    shown = repr(got)[:MAX_SHOWN]
    return ApiError(400, f"{name}: expected {expected}; got {shown}", param=name)
