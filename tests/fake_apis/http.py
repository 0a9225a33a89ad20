"""As much of HTTP/1.1 as the clients speak: requests read off a stream, answers written to it.

By hand, because a fake must do what no proper server would: say nothing, close before the
first byte, or stop in the middle of a body.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

WHOLE, CUT, DROPPED, NEVER = "whole", "cut", "dropped", "never"  # how much of an answer is sent


@dataclass(frozen=True)
class Request:
    """What a client asked; names of headers in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What it is answered, and how much of it arrives."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    sent: str = WHOLE
    settle: Callable[[], None] = lambda: None  # called when it is about to be sent

    def encoded(self):
        headers = {"content-type": "application/json"} | self.headers
        headers["content-length"] = str(len(self.body))
        lines = [f"HTTP/1.1 {self.status} {'OK' if self.status == 200 else 'Error'}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


def answer_json(content: Any, status=200, **headers):
    headers = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    return Answer(status, json.dumps(content).encode(), headers)


async def read_request(reader):
    """The next request; raises IncompleteReadError once the client has hung up."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, target, _ = first.split(" ", 2)
    pairs = (line.partition(":")[::2] for line in lines)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    parts = urlsplit(target)
    body = await _read_body(reader, headers)
    return Request(method, unquote(parts.path), dict(parse_qsl(parts.query)), headers, body)


async def _read_body(reader, headers):
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body
