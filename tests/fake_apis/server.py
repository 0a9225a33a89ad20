"""`FakeApis`: a server on loopback that speaks the Messages, batches and chat completions APIs."""

import asyncio
import copy
import json
import time

from tests.fake_apis import batches, chat, dialects, messages
from tests.fake_apis.batches import Batches
from tests.fake_apis.cache import PromptCache
from tests.fake_apis.errors import Refusal
from tests.fake_apis.faults import answer_with
from tests.fake_apis.http import CUT, answer_json
from tests.fake_apis.listener import Listener
from tests.fake_apis.models import CHAT_MODELS, MODELS
from tests.fake_apis.policy import Steady
from tests.fake_apis.records import Ledger
from tests.fake_apis.validation import check_prompt

_COUNT_PATH = f"{messages.PATH}/count_tokens"
_GATE_POLL_S = 0.002


class FakeApis:
    """The APIs, each reply the `policy`'s; all settings may be changed while it serves.

    Attributes:
        key: What clients must send.
        policy: (snapshot, tool) -> the tool's input; `Steady(hold)` if none is given.
        delay: Seconds before each reply.
        faults: n -> the name of what goes wrong with the nth request for a reply, or None.
        gate: Like a `threading.Event`: while it is not set, no request gets its reply.
        retry_after: Seconds that errors worth a retry ask to wait; None: they say nothing.
        models, chat_models: Names of the models that are there.
        clock: Seconds, for the cache and for batches.
        cache: What prompts left behind; `cache.minimum` is the least that is kept, in tokens.
        batch_polls, batch_delay: A batch ends once it was asked after more often than this,
            and has lain so many seconds.
        batch_done_at_cancel: How many entries of a batch are done when it is cancelled.
        batch_faults: As `faults`, for requests to the batches API itself.
        dialect: How chat completions are written, a name of `DIALECTS`; None: as OpenAI does.
        lacks: What of chat completions is refused, names of `LACKS`.
        always_streams: Whether chat completions come as a stream, asked for or not.
        inside: The body of status 200 that stands where a chat completion should; None: none.
    """

    def __init__(
        self,
        key="test-key",
        policy=None,
        *,
        hold=6,
        delay=0.0,
        faults=None,
        gate=None,
        retry_after=0.01,
        models=tuple(MODELS),
        chat_models=CHAT_MODELS,
        clock=time.time,
        cache_minimum=1024,
        batch_polls=1,
        batch_delay=0.0,
        batch_faults=None,
        port=0,
    ):
        self.key = key
        self.policy = policy or Steady(hold)
        self.delay = delay
        self.faults = faults
        self.gate = gate
        self.retry_after = retry_after
        self.models = models
        self.chat_models = chat_models
        self.clock = clock
        self.cache = PromptCache(cache_minimum)
        self.batch_polls = batch_polls
        self.batch_delay = batch_delay
        self.batch_done_at_cancel = 0
        self.batch_faults = batch_faults
        self.dialect = None
        self.lacks = ()
        self.always_streams = False
        self.inside = None
        self.ledger = Ledger()
        self.url = None
        self._batches = Batches(self)
        self._listener = Listener(self._answer, port)
        self._asked = self._batch_calls = self._replies = 0
        self._gate_watch = None

    def __enter__(self):
        self.url = f"http://127.0.0.1:{self._listener.start()}"
        return self

    def __exit__(self, *_):
        self._listener.close()

    @property
    def requests(self):
        """Records of all HTTP requests so far, in the order in which they came."""
        return self.ledger.copied("requests")

    @property
    def malformed(self):
        """What was refused: empty in a good test."""
        return self.ledger.copied("malformed")

    @property
    def spent(self):
        """Tokens by place, and replies, of all replies that were sent whole; 0 where none."""
        return self.ledger.copied("spent")

    @property
    def spent_in_batches(self):
        """The part of `spent` that was spent in batches."""
        return self.ledger.copied("spent_in_batches")

    @property
    def most_at_once(self):
        """How many requests for a reply were under way at most."""
        return self.ledger.most_at_once

    def wait_for_requests(self, count, timeout=10.0):
        """Waits until as many requests for a reply are under way; says whether they are."""
        return self.ledger.wait_until(lambda at_once, _: at_once >= count, timeout)

    async def _answer(self, request):
        if request.path == "/_records":
            return answer_json(self.ledger.content())
        body, unreadable = _parsed(request.body)
        record = self.ledger.arrived(request, body)
        try:
            self._check_client(request, unreadable)
            answer = await self._route(request, body, record)
        except Refusal as refusal:
            self.ledger.refused(refusal, request.path, body)
            answer = answer_json(self._error(request)(refusal, record.request_id), refusal.status)
        except Exception as fault:  # a policy's fault is to be seen by the test
            refusal = Refusal(f"fake: it broke: {fault!r}", 500)
            self.ledger.refused(refusal, request.path, body)
            answer = answer_json(self._error(request)(refusal, record.request_id), 500)
        answer.headers["request-id"] = answer.headers["x-request-id"] = record.request_id
        return _noted(answer, record)

    @staticmethod
    def _error(request):
        if request.path.startswith(messages.PATH) or "anthropic-version" in request.headers:
            return messages.error
        return lambda refusal, _: chat.error(refusal)

    def _check_client(self, request, unreadable):
        # Clients of this API send the key in either header, those of the other in the second.
        given = request.headers.get("x-api-key")
        if given is None:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if given != self.key:
            raise Refusal("invalid x-api-key", 401)
        if request.path.startswith(messages.PATH) and "anthropic-version" not in request.headers:
            raise Refusal("anthropic-version: header is required")
        if unreadable:
            raise Refusal(f"The request body is not valid JSON: {unreadable}")

    async def _route(self, request, body, record):
        where = (request.method, request.path)
        if where == ("POST", messages.PATH):
            return await self._ask(messages, self.models, body, record)
        if where == ("POST", chat.PATH):
            return await self._ask(chat, self.chat_models, body, record)
        if where == ("POST", _COUNT_PATH):
            check_prompt(body, self.models)
            return answer_json({"input_tokens": messages.blocks(body)[-1].tokens})
        if request.path.startswith(batches.PATH):
            return self._ask_batches(request, body, record)
        if where == ("GET", "/v1/models"):
            return answer_json(self._list_models(request))
        raise Refusal(f"Not found: {request.method} {request.path}", 404)

    async def _ask(self, api, known, params, record):
        if api is chat and (answer := dialects.refused(params, self.lacks)):
            return answer
        api.check(params, known)
        with self.ledger.at_once():
            record.fault = self.next_fault()
            use = self.cache.use(api.blocks(params), self.clock())
            await self._hold()
        error = self._error_writer(api, record)
        if answer := answer_with(record.fault, error, self.retry_after):
            return answer
        message = api.written(
            params, api.reply_to(params, self.policy, record.fault), use, self._next_reply()
        )
        return self._sent(api, message, use, record)

    def _sent(self, api, message, use, record):
        answer = answer_json(message) if api is messages else self._chatted(message, record)
        if record.fault == "truncated_json":
            answer.body = answer.body[: len(answer.body) // 2]
        elif record.fault == "cut_body":
            answer.sent = CUT
        else:
            answer.settle = lambda: self._settle(api, message, use, record)
        return answer

    def _chatted(self, completion, record):
        if self.inside is not None:
            return answer_json(self.inside)
        if self.always_streams or record.body.get("stream"):
            return dialects.streamed(completion)
        return answer_json(dialects.written_in(self.dialect, copy.deepcopy(completion)))

    def _settle(self, api, message, use, record):
        self.cache.keep(use, self.clock())
        record.usage = message["usage"]
        record.reply_id = message["id"]
        self.ledger.paid(api.costs(message["usage"]))

    def _ask_batches(self, request, body, record):
        self._batch_calls += 1
        record.fault = self.batch_faults(self._batch_calls) if self.batch_faults else None
        error = self._error_writer(messages, record)
        if answer := answer_with(record.fault, error, self.retry_after):
            return answer
        answer = self._batches.answer(request, body)
        if record.fault == "cut_body":
            answer.sent = CUT
        return answer

    def message_in_batch(self, params, fault):
        """The reply to one entry of a batch."""
        use = self.cache.use(messages.blocks(params), self.clock())
        reply = messages.reply_to(params, self.policy, fault)
        message = messages.written(params, reply, use, self._next_reply(), tier="batch")
        self.cache.keep(use, self.clock())
        self.ledger.paid(messages.costs(message["usage"]), batch=True)
        return message

    def next_fault(self):
        """Of the next request for a reply, entries of batches included."""
        self._asked += 1
        return self.faults(self._asked) if self.faults else None

    def _next_reply(self):
        self._replies += 1
        return self._replies

    @staticmethod
    def _error_writer(api, record):
        if api is chat:
            return chat.error
        return lambda refusal: messages.error(refusal, record.request_id)

    async def _hold(self):
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.gate is not None and not self.gate.is_set():
            if self._gate_watch is None or self._gate_watch.done():
                self._gate_watch = asyncio.create_task(self._watch_gate())
            await asyncio.shield(self._gate_watch)

    async def _watch_gate(self):
        while self.gate is not None and not self.gate.is_set():
            await asyncio.sleep(_GATE_POLL_S)

    def _list_models(self, request):
        if "anthropic-version" in request.headers:
            date = "2026-01-01T00:00:00Z"
            data = [
                {"type": "model", "id": name, "display_name": name, "created_at": date}
                for name in self.models
            ]
            return {"data": data, "has_more": False, "first_id": None, "last_id": None}
        data = [
            {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "fake"}
            for name in self.chat_models
        ]
        return {"object": "list", "data": data}


def _noted(answer, record):
    """The answer, which says in its record that it was sent once it is."""
    settle = answer.settle

    def noted():
        record.status = answer.status
        settle()

    answer.settle = noted
    return answer


def _parsed(body):
    """Parsed JSON, and why it could not be parsed."""
    try:
        return (json.loads(body) if body else None), None
    except ValueError as fault:
        return None, str(fault)
