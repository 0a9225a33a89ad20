"""`Told`: what an API says of why it gives no reply, whatever form its words come in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Where servers put their words, the most telling first.
_WORDS = ("message", "msg", "detail", "error_description", "error", "reason", "title")


@dataclass(frozen=True, kw_only=True)
class Told:
    """What an error's body says.

    Attributes:
        message: Its words; "" where it has none.
        kind: Its type, such as "invalid_request_error"; "" where it has none.
        code: Its code as text; "" where it has none.
    """

    message: str = ""
    kind: str = ""
    code: str = ""

    @property
    def status(self) -> int | None:
        """The HTTP status that the code names, if it names an error's."""
        known = self.code.isascii() and self.code.isdigit() and 400 <= int(self.code) < 600
        return int(self.code) if known else None


class ErrorInside(ValueError):  # noqa: N818 - it names what was found, not a fault in code
    """An answer that claims to be well and tells of an error."""

    def __init__(self, told: Told) -> None:
        """Keeps what was told."""
        super().__init__(told.message)
        self.told = told


class DamagedAnswer(ValueError):  # noqa: N818 - as above
    """An answer that cannot be read; its text is how it begins."""


def check_no_error(body: object) -> None:
    """Checks a body in which no reply was found.

    Raises:
        ErrorInside: If it says why.
    """
    told = told_by(body)
    if told.message:
        raise ErrorInside(told)


def told_by(body: object) -> Told:
    """What an error's body says; nothing, if it is in no form that says anything.

    Args:
        body: As the API's client has it: parsed JSON, or text that was none.
    """
    if isinstance(body, list) and body:  # Google's servers put the one error in a list
        return told_by(body[0])
    if isinstance(body, str):
        return Told(message="" if body.lstrip().startswith("<") else body)
    if not isinstance(body, Mapping):
        return Told()
    inner = body.get("error") or body
    if not isinstance(inner, Mapping):
        inner = {**body, "message": inner}
    return Told(
        message=_message(inner),
        kind=_word(inner.get("type")),
        code=_word(inner.get("code") or inner.get("status_code")),
    )


def _message(told: Mapping[str, Any]) -> str:
    words = next((words for key in _WORDS if (words := _words(told.get(key)))), "")
    metadata = told.get("metadata")  # a router's: what the provider behind it said
    raw = _words(metadata.get("raw")) if isinstance(metadata, Mapping) else ""
    return f"{words} ({raw})" if raw else words


def _words(value: object) -> str:
    """Words in one string, those of a checker that names places included."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        place = value.get("loc")
        listed = isinstance(place, Sequence) and not isinstance(place, str)
        where = ".".join(map(str, place)) if listed and place else ""
        return ": ".join(filter(None, (where, _message(value))))
    if isinstance(value, list):
        return "; ".join(filter(None, map(_words, value)))
    return ""


def _word(value: object) -> str:
    plain = isinstance(value, str | int) and not isinstance(value, bool)
    return str(value) if plain else ""
