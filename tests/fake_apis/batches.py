"""The Message Batches API: a batch is worked off when it has been waited for."""

import json
import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.fake_apis import messages
from tests.fake_apis.errors import Refusal, claude_error
from tests.fake_apis.faults import ERRORS
from tests.fake_apis.http import Answer, answer_json

PATH = "/v1/messages/batches"

_DAY_S = 86_400
_MOST = 100_000  # requests in a batch
_COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")
_BROKEN = Refusal("Internal server error", 500)


@dataclass
class Batch:
    """One batch; `results` is None until it has ended."""

    ident: str
    entries: list
    created: float
    polls: int = 0
    cancelled: float | None = None
    ended: float | None = None
    results: list | None = None


class Batches:
    """All batches of a server, whose settings it reads: `batch_polls`, `batch_delay` and others."""

    def __init__(self, server):
        self._server = server
        self._batches = {}

    def answer(self, request, body):
        """Whatever is asked of a path under `PATH`."""
        ident, _, action = request.path.removeprefix(PATH).strip("/").partition("/")
        if not ident:
            return self._create(body) if request.method == "POST" else self._list(request.query)
        batch = self._found(ident)
        if request.method == "POST" and action == "cancel":
            return self._cancel(batch)
        if request.method == "DELETE":
            return self._delete(batch)
        return self._results(batch) if action == "results" else self._poll(batch)

    def _create(self, body):
        entries = body.get("requests") if isinstance(body, dict) else None
        if not isinstance(entries, list) or not 0 < len(entries) <= _MOST:
            raise Refusal(f"requests: expected a list of 1 to {_MOST}")
        _check_entries(entries)
        ident = f"msgbatch_fake{len(self._batches) + 1:06d}"
        self._batches[ident] = Batch(ident, entries, self._server.clock())
        return answer_json(self._told(self._batches[ident]))

    def _list(self, query):
        idents = sorted(self._batches, reverse=True)
        first = idents.index(query["after_id"]) + 1 if query.get("after_id") in idents else 0
        page = idents[first : first + int(query.get("limit", 20))]
        return answer_json(
            {
                "data": [self._told(self._batches[ident]) for ident in page],
                "has_more": first + len(page) < len(idents),
                "first_id": page[0] if page else None,
                "last_id": page[-1] if page else None,
            }
        )

    def _found(self, ident):
        if ident not in self._batches:
            raise Refusal(f"Message Batch {ident} not found.", 404)
        return self._batches[ident]

    def _poll(self, batch):
        batch.polls += 1
        waited = batch.polls > self._server.batch_polls
        waited &= self._server.clock() - batch.created >= self._server.batch_delay
        if batch.results is None and (waited or batch.cancelled is not None):
            self._work_off(batch)
        return answer_json(self._told(batch))

    def _cancel(self, batch):
        if batch.results is not None:
            raise Refusal(f"Message Batch {batch.ident} has already ended.")
        batch.cancelled = batch.cancelled or self._server.clock()
        return answer_json(self._told(batch))

    def _delete(self, batch):
        if batch.results is None:
            raise Refusal(f"Message Batch {batch.ident} has not ended.")
        del self._batches[batch.ident]
        return answer_json({"id": batch.ident, "type": "message_batch_deleted"})

    def _results(self, batch):
        if batch.results is None:
            raise Refusal(f"Message Batch {batch.ident} has no results yet.", 404)
        lines = "".join(json.dumps(result) + "\n" for result in batch.results)
        return Answer(200, lines.encode(), {"content-type": "application/x-jsonl"})

    def _work_off(self, batch):
        batch.results = []
        for index, entry in enumerate(batch.entries):
            late = batch.cancelled is not None and index >= self._server.batch_done_at_cancel
            result = {"type": "canceled"} if late else self._result(entry["params"])
            batch.results.append({"custom_id": entry["custom_id"], "result": result})
        random.Random(batch.ident).shuffle(batch.results)
        batch.ended = self._server.clock()

    def _result(self, params):
        try:
            messages.check(params, self._server.models)
            messages.reply_to(params, self._server.policy, None)
        except Refusal as refusal:
            self._server.ledger.refused(refusal, PATH, params)
            return {"type": "errored", "error": claude_error(refusal, None)}
        fault = self._server.next_fault()
        if fault == "timeout":
            return {"type": "expired"}
        if fault in ERRORS or fault in ("bad_gateway", "dropped", "cut_body", "truncated_json"):
            return {"type": "errored", "error": claude_error(ERRORS.get(fault, _BROKEN), None)}
        return {"type": "succeeded", "message": self._server.message_in_batch(params, fault)}

    def _told(self, batch):
        """The batch as a `MessageBatch`."""
        status = "in_progress" if batch.cancelled is None else "canceling"
        counts = dict.fromkeys(_COUNTS, 0)
        if batch.results is None:
            counts["processing"] = len(batch.entries)
        else:
            status = "ended"
            for result in batch.results:
                counts[result["result"]["type"]] += 1
        results_url = f"{self._server.url}{PATH}/{batch.ident}/results"
        return {
            "id": batch.ident,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": counts,
            "created_at": _date(batch.created),
            "expires_at": _date(batch.created + _DAY_S),
            "ended_at": _date(batch.ended),
            "cancel_initiated_at": _date(batch.cancelled),
            "archived_at": None,
            "results_url": results_url if batch.results is not None else None,
        }


def _check_entries(entries):
    idents = set()
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or entry.keys() != {"custom_id", "params"}:
            raise Refusal(f"requests.{index}: expected custom_id and params")
        ident = entry["custom_id"]
        if not isinstance(ident, str) or not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", ident):
            raise Refusal(
                f"requests.{index}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'"
            )
        if ident in idents:
            raise Refusal(f"requests.{index}.custom_id: {ident!r} is not unique")
        idents.add(ident)


def _date(when):
    return None if when is None else datetime.fromtimestamp(when, UTC).isoformat()
