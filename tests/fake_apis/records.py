"""`Ledger`: what was asked, what went wrong with it, and what it cost; safe to read at any time."""

import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.fake_apis.http import Request

_SECRET = ("x-api-key", "authorization")


@dataclass
class Record:
    """One HTTP request, and what became of it."""

    number: int  # from 1
    method: str
    path: str
    body: Any  # parsed JSON; None where there was none
    headers: dict[str, str]  # without the key
    when: float  # seconds since the epoch
    request_id: str
    status: int | None = None  # None until answered, and where no answer was given
    fault: str | None = None
    usage: dict[str, Any] | None = None  # as the reply said; None without a whole reply
    reply_id: str | None = None


@dataclass(frozen=True)
class Malformed:
    """A request that was refused, with the reason: in a good test there is none."""

    status: int
    reason: str
    path: str
    body: Any


@dataclass
class Ledger:
    """Records of one server."""

    requests: list[Record] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    spent: Counter[str] = field(default_factory=Counter)
    spent_in_batches: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0
    _at_once: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def arrived(self, request: Request, body) -> Record:
        headers = {name: request.headers[name] for name in request.headers if name not in _SECRET}
        with self._changed:
            number = len(self.requests) + 1
            record = Record(
                number=number,
                method=request.method,
                path=request.path,
                body=body,
                headers=headers,
                when=time.time(),
                request_id=f"req_fake{number:06d}",
            )
            self.requests.append(record)
            self._changed.notify_all()
            return record

    def refused(self, refusal, path, body):
        with self._changed:
            self.malformed.append(Malformed(refusal.status, refusal.message, path, body))

    @contextmanager
    def at_once(self):
        """Around a request for a reply, for as long as the reply is not there."""
        with self._changed:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._at_once -= 1

    def paid(self, costs, *, batch=False):
        with self._changed:
            for account in (self.spent, self.spent_in_batches)[: 2 if batch else 1]:
                account.update(costs)

    def wait_until(self, reached, timeout):
        """Waits until `reached(at_once, requests)` holds; says whether it came to that."""
        with self._changed:
            return self._changed.wait_for(lambda: reached(self._at_once, self.requests), timeout)

    def copied(self, name):
        with self._changed:
            return getattr(self, name).copy()

    def content(self):
        """Everything, as JSON values."""
        with self._changed:
            return {
                "requests": [asdict(record) for record in self.requests],
                "malformed": [asdict(found) for found in self.malformed],
                "spent": dict(self.spent),
                "spent_in_batches": dict(self.spent_in_batches),
                "most_at_once": self.most_at_once,
            }
