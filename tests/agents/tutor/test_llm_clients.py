import asyncio
import contextlib
import json
import logging
import re
import sys
import time
import traceback
from types import SimpleNamespace

import anthropic
import numpy as np
import pytest

from arena_breaker_agents.tutor import claude as claude_module
from arena_breaker_agents.tutor import endpoint
from arena_breaker_agents.tutor.batches import BatchClient
from arena_breaker_agents.tutor.chat_reply import completion_in
from arena_breaker_agents.tutor.chat_reply import reply_from as reply_from_chat
from arena_breaker_agents.tutor.claude import ClaudeClient
from arena_breaker_agents.tutor.claude import reply_from as reply_from_claude
from arena_breaker_agents.tutor.decision import Decision, act_tool
from arena_breaker_agents.tutor.endpoint import MissingKeyError, plain_connection
from arena_breaker_agents.tutor.llm_client import (
    CALLED,
    CUT,
    REFUSED,
    SPOKE,
    LLMError,
    Request,
    Tool,
    Usage,
    told_by,
)
from arena_breaker_agents.tutor.openai import OpenAIClient
from arena_breaker_agents.tutor.tutor import TutorSettings
from tests.fake_apis import (
    DIALECTS,
    FATAL,
    LACKS,
    RETRYABLE,
    UNUSABLE,
    FakeApis,
    Script,
    Steady,
)
from tests.fake_apis.dialects import refused
from tests.fake_apis.errors import Refusal
from tests.fake_apis.faults import ERRORS

KEY = "sk-secret-0123456789"
SYSTEM = "These are the rules. " * 400
SCHEMA = {
    "type": "object",
    "properties": {"plan": {"type": "array", "items": {"type": "integer"}}},
    "required": ["plan"],
    "additionalProperties": False,
}
TOOL = Tool(name="act", description="Play.", schema=SCHEMA)
ACT = act_tool(decision_steps=6, most_holds=3)
SNAPSHOT = {
    "score": 0,
    "player": {"pos": {"x": 0.0, "z": 0.0}, "dash_ready": False},
    "enemies": [{"dx": 1.0, "dz": 0.0, "dist": 1.0}],
    "enemy_projectiles": [],
    "hazards": [],
}
ENDINGS = {"no_call": SPOKE, "wrong_tool": SPOKE, "two_calls": SPOKE}
ENDINGS |= {"refusal": REFUSED, "max_tokens": CUT}


def policy(snapshot, tool):
    """An answer that tells which question it belongs to."""
    return {"plan": [{"aim": {}, "hold": snapshot["score"]}]}


@pytest.fixture
def server(monkeypatch):
    with FakeApis(key=KEY, policy=policy) as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        yield server


def question(number=1, **changes):
    said = {
        "ident": f"s1-d{number}-a0",
        "system": SYSTEM,
        "tool": TOOL,
        "now": "Now:\n" + json.dumps({"score": number}),
        "max_tokens": 1024,
    }
    return Request(**{**said, **changes})


def claude(**options):
    return ClaudeClient(**{"timeout": 10.0, **options})


def chat(**options):
    return OpenAIClient("local-model", **{"timeout": 10.0, **options})


def batches(log=None, *, poll=0.01, gather=0.02, patience=10.0, **options):
    return BatchClient(claude(**options), log=log, gather=gather, poll=poll, patience=patience)


both = pytest.mark.parametrize("make", [claude, chat])
each = pytest.mark.parametrize("make", [claude, chat, batches])


@contextlib.asynccontextmanager
async def opened(llm):
    try:
        yield llm
    finally:
        await llm.close()


def ask(llm, *questions):
    """Asks all at once, hangs up, and returns what came of each, errors included."""

    async def asked():
        async with opened(llm):
            asks = [llm.complete(one) for one in questions or (question(),)]
            return await asyncio.gather(*asks, return_exceptions=True)

    return asyncio.run(asked())


def ask_one(llm, one=None):
    [reply] = ask(llm, one or question())
    if isinstance(reply, BaseException):
        raise reply
    return reply


def fails(llm, one=None):
    with pytest.raises(LLMError) as caught:
        ask_one(llm, one)
    assert "\n" not in caught.value.reason
    assert caught.value.reason.endswith(".")
    return caught.value


def creations(server):
    paths = [(one.method, one.path) for one in server.requests]
    return paths.count(("POST", "/v1/messages/batches"))


# What is asked, and what comes back


@each
def test_a_question_is_answered_by_a_call_of_the_tool(server, make):
    reply = ask_one(make(), question(7))
    assert reply.ending == CALLED
    assert reply.call == {"plan": [{"aim": {}, "hold": 7}]}
    assert reply.model in ("claude-opus-4-8", "local-model")
    assert reply.request_id
    assert reply.usage.output > 0
    assert reply.usage.batch is (make is batches)
    assert not server.malformed


@each
def test_fifty_questions_at_once_get_each_their_own_answer(server, make):
    replies = ask(make(), *map(question, range(50)))
    assert [reply.call["plan"][0]["hold"] for reply in replies] == list(range(50))
    assert not server.malformed


def test_claude_is_sent_rules_past_and_present_with_two_breakpoints(server):
    earlier = ("Earlier:\n{}", "Earlier:\n{}")
    ask_one(claude(), question(earlier=earlier, correction="Your last answer was odd."))
    [request] = server.requests
    body = request.body
    kept = {"cache_control": {"type": "ephemeral", "ttl": "5m"}}
    assert body["system"] == [{"type": "text", "text": SYSTEM} | kept]
    first, second, now = body["messages"][0]["content"]
    assert "cache_control" not in first
    assert second == {"type": "text", "text": earlier[1]} | kept
    assert now["text"].endswith("}\n\nYour last answer was odd.")
    assert body["tool_choice"] == {
        "type": "tool",
        "name": "act",
        "disable_parallel_tool_use": True,
    }
    assert body["tools"][0]["strict"] is True
    assert body["tools"][0]["input_schema"] == SCHEMA
    assert body["max_tokens"] == 1024
    assert "temperature" not in body
    assert "thinking" not in body


def test_a_chat_is_sent_plain_text_and_one_function(server):
    ask_one(chat(), question(earlier=("Earlier:\n{}",), correction="Odd."))
    [request] = server.requests
    rules, asked = request.body["messages"]
    assert rules == {"role": "system", "content": SYSTEM}
    assert asked["content"] == 'Earlier:\n{}\n\nNow:\n{"score": 1}\n\nOdd.'
    assert request.body["tools"][0]["function"]["strict"] is True
    assert request.body["tool_choice"]["function"] == {"name": "act"}
    assert request.body["max_tokens"] == 1024


def test_what_questions_share_is_read_from_the_cache_the_second_time(server):
    async def twice():
        async with opened(claude()) as llm:
            return [(await llm.complete(question(number))).usage for number in (1, 2)]

    first, second = asyncio.run(twice())
    assert first.cache_write_5m == second.cache_read > 1024
    assert first.cache_read == second.cache_write_5m == first.cache_write_1h == 0
    assert first.input == second.input > 0


def test_the_cache_is_kept_for_an_hour_where_one_says_so_and_in_batches(server):
    assert ask_one(claude(cache_ttl="1h")).usage.cache_write_1h > 1024
    server.cache.__init__(1024)
    usage = ask_one(batches()).usage
    assert usage.cache_write_1h > 1024
    assert usage.cache_write_5m == 0


def test_tokens_kept_for_nobody_says_how_long_are_kept_for_five_minutes():
    usage = {"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 3}
    message = {"type": "message", "id": "msg_1", "model": "m", "content": [], "usage": usage}
    reply = reply_from_claude(message | {"stop_reason": "end_turn"}, tool="act", request_id=None)
    assert reply.usage == Usage(input=1, output=2, cache_write_5m=3)
    assert reply.request_id == "msg_1"


# Thinking and effort


@pytest.mark.parametrize(
    ("model", "thinking", "said", "tokens"),
    [
        ("claude-opus-4-8", "adaptive", {"type": "adaptive", "display": "summarized"}, 4096),
        ("claude-haiku-4-5", 2000, {"type": "enabled", "budget_tokens": 2000}, 2000),
    ],
)
def test_a_mind_that_thinks_is_free_to_call_and_tells_its_thoughts(
    server, model, thinking, said, tokens
):
    llm = claude(model=model, thinking=thinking)
    reply = ask_one(llm)
    [request] = server.requests
    assert request.body["thinking"] == said
    assert request.body["max_tokens"] == 1024 + tokens
    assert request.body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert llm.thinking_tokens == tokens
    assert llm.options == {"thinking": thinking}
    assert reply.ending == CALLED
    assert "nearest enemy" in reply.thought
    assert not server.malformed


def test_effort_is_sent_and_told(server):
    llm = claude(effort="low")
    ask_one(llm)
    assert server.requests[0].body["output_config"] == {"effort": "low"}
    assert llm.options == {"effort": "low"}
    assert not server.malformed


def test_a_model_that_no_tool_can_be_forced_on_is_refused_once_and_then_left_free(server):
    async def twice():
        async with opened(claude(model="claude-opus-5-5")) as llm:
            return [(await llm.complete(question(number))).ending for number in (1, 2)]

    assert asyncio.run(twice()) == [CALLED, CALLED]
    assert len(server.malformed) == 1
    assert server.requests[-1].body["max_tokens"] == 1024 + 4096


def test_so_it_is_in_a_batch(server):
    assert ask_one(batches(model="claude-opus-5-5")).ending == CALLED
    assert creations(server) == 2


def test_thinking_that_a_model_does_not_know_is_a_fatal_error_in_a_clear_sentence(server):
    error = fails(claude(thinking=2000))
    assert error.fatal
    assert "400 invalid_request_error, request req_fake000001" in error.reason
    assert "thinking.type.enabled" in error.reason
    assert len(server.requests) == 1


# What goes wrong


@both
@pytest.mark.parametrize("fault", RETRYABLE)
def test_what_may_go_better_is_asked_again(server, make, fault):
    server.faults = Script([fault])
    reply = ask_one(make(timeout=0.3 if fault == "timeout" else 10.0))
    assert reply.ending == CALLED
    assert len(server.requests) == 2


@both
def test_after_all_retries_the_error_says_what_the_api_said(server, make):
    server.faults = Script(always="overloaded")
    error = fails(make(max_retries=2))
    assert not error.fatal
    assert "529 overloaded_error" in error.reason
    assert "req_fake000003" in error.reason
    assert len(server.requests) == 3


@both
def test_where_nobody_answers_the_error_says_where(monkeypatch, make):
    with FakeApis(key=KEY) as gone:
        url = gone.url
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
    error = fails(make(max_retries=0))
    assert not error.fatal
    assert f"cannot be reached at {url.removeprefix('http://')}" in error.reason


@both
def test_a_server_that_says_nothing_is_not_waited_for(server, make):
    server.faults = Script(always="timeout")
    error = fails(make(max_retries=0, timeout=0.2))
    assert not error.fatal
    assert "in time" in error.reason


@both
@pytest.mark.parametrize("fault", FATAL)
def test_what_no_other_question_would_mend_is_asked_once(server, make, fault):
    server.faults = Script(always=fault)
    error = fails(make())
    assert error.fatal
    assert ERRORS[fault].kind in error.reason
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        ("authentication", "check ANTHROPIC_API_KEY"),
        ("billing", "payment"),
        ("permission", "ANTHROPIC_API_KEY may use"),
        ("not_found", "check the model's name, claude-opus-4-8"),
    ],
)
def test_fatal_errors_say_what_to_do(server, fault, advice):
    server.faults = Script(always=fault)
    assert advice in fails(claude()).reason


def test_a_quota_that_is_used_up_is_not_a_matter_of_waiting(server, monkeypatch):
    refusal = Refusal("You exceeded your current quota.", 429)
    monkeypatch.setitem(ERRORS, "rate_limit", refusal)
    monkeypatch.setattr("tests.fake_apis.errors.KINDS", {429: "insufficient_quota"})
    server.faults = Script(always="rate_limit")
    assert fails(chat(max_retries=0)).fatal


@each
@pytest.mark.parametrize("fault", sorted(set(UNUSABLE) - {"truncated_json"}))
def test_replies_of_no_use_are_told_apart(server, make, fault):
    server.faults = Script([fault])
    reply = ask_one(make())
    assert reply.ending == ENDINGS.get(fault, CALLED)
    assert reply.usage.output > 0
    if reply.ending in (SPOKE, REFUSED):
        assert reply.call is None
        assert reply.said
    assert server.spent["replies"] == 1  # it is the tutor who asks again


@each
def test_text_that_no_file_can_hold_is_made_writable(server, make):
    server.policy = lambda snapshot, tool: {"plan": [{"hold": "\ud83d"}]}
    assert ask_one(make()).call == {"plan": [{"hold": "?"}]}


@both
def test_a_reply_that_arrives_damaged_is_asked_for_again(server, make, monkeypatch):
    monkeypatch.setattr(endpoint, "_PAUSE_S", 0.0)
    server.faults = Script(["truncated_json", "truncated_json"])
    assert ask_one(make()).ending == CALLED
    assert len(server.requests) == 3


@both
def test_but_not_for_ever(server, make, monkeypatch):
    monkeypatch.setattr(endpoint, "_PAUSE_S", 0.0)
    server.faults = Script(always="truncated_json")
    error = fails(make())
    assert not error.fatal
    assert "cannot be read" in error.reason
    assert len(server.requests) == 3


@pytest.mark.parametrize("read", [reply_from_claude, reply_from_chat])
@pytest.mark.parametrize("body", [None, [], "x", {}, {"type": "message"}, {"choices": []}])
def test_json_of_another_shape_is_damage(read, body):
    with pytest.raises(ValueError):
        read(body, tool="act", request_id=None)


@both
def test_an_api_that_wants_hours_is_given_up_at_once_and_says_so(server, make):
    server.retry_after = 7200
    server.faults = Script(always="rate_limit")
    began = time.monotonic()
    error = fails(make(patience=60.0))
    assert time.monotonic() - began < 5.0
    assert not error.fatal
    assert "429" in error.reason
    assert error.reason.endswith("it wants to be left alone for 2 hours.")


# Keys


@pytest.mark.parametrize("value", [None, "", " \n"])
def test_without_a_key_one_sentence_says_what_to_set(monkeypatch, value):
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(MissingKeyError, match=r"^Set ANTHROPIC_API_KEY to a key of the Anth.*\.$"):
        ClaudeClient()
    with pytest.raises(MissingKeyError, match=r"^Set OPENAI_API_KEY .*base_url.*\.$"):
        OpenAIClient("gpt-5")


@pytest.mark.parametrize("value", ["sk-“quoted”", "sk-one two", "sk-line\nbreak"])
def test_what_cannot_be_a_key_is_refused_and_not_repeated(monkeypatch, value):
    monkeypatch.setenv("ANTHROPIC_API_KEY", value)
    with pytest.raises(MissingKeyError, match="ANTHROPIC_API_KEY is no key") as caught:
        ClaudeClient()
    assert value not in "".join(traceback.format_exception(caught.value))


def test_white_space_round_a_key_does_no_harm(server, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", f" {KEY}\n")
    assert ask_one(claude()).ending == CALLED


def test_a_local_server_needs_no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    with FakeApis(key="none", policy=policy) as server:
        llm = OpenAIClient("local-model", base_url=f"{server.url}/v1")
        assert ask_one(llm).ending == CALLED


@each
@pytest.mark.parametrize("fault", ["authentication", "overloaded", "dropped", "no_call"])
def test_the_key_stands_in_no_error_no_log_and_no_repr(server, make, fault, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setitem(ERRORS, "authentication", Refusal(f"{KEY} is no key", 401))
    server.faults = server.batch_faults = Script(always=fault)
    llm = make(max_retries=1)
    [outcome] = ask(llm)
    told = [repr(llm), str(vars(llm)), repr(outcome), caplog.text]
    if isinstance(outcome, BaseException):
        told += traceback.format_exception(outcome)
        assert outcome.__context__ is None
    assert KEY not in "".join(told)
    assert "HTTP" in caplog.text  # the clients did write something


# Values


@pytest.mark.parametrize(
    "options",
    [
        {"thinking": 1023},
        {"thinking": True},
        {"thinking": "hard"},
        {"cache_ttl": "1d"},
        {"max_retries": -1},
        {"timeout": 0.0},
        {"patience": float("nan")},
    ],
)
def test_values_that_are_not_allowed_are_refused(server, options):
    [name] = options
    with pytest.raises(ValueError, match=rf"^{name} must be"):
        ClaudeClient(**options)


@pytest.mark.parametrize("url", ["127.0.0.1:8000/v1", "ftp://there", "http://", "http://a:b"])
def test_a_base_url_that_is_no_address_is_refused(server, monkeypatch, url):
    with pytest.raises(ValueError, match=r"^base_url must be"):
        OpenAIClient("local-model", base_url=url)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
    with pytest.raises(ValueError, match=r"^ANTHROPIC_BASE_URL must be"):
        ClaudeClient()


def test_a_client_of_ones_own_brings_its_own_key(server, monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    client = anthropic.AsyncAnthropic(auth_token=KEY, base_url=server.url)
    assert ask_one(ClaudeClient(client=client)).ending == CALLED


def test_openai_itself_is_told_the_length_by_its_newer_name(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    params = OpenAIClient("gpt-5").params(question())
    assert params["max_completion_tokens"] == 1024
    assert "max_tokens" not in params


# Chats of servers that are not OpenAI


def completion(finish="stop", **message):
    choice = {"message": {"content": None, **message}, "finish_reason": finish}
    return {"id": "chatcmpl-1", "model": "m", "choices": [choice]}


def called(arguments, name="act"):
    return [{"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}]


@pytest.mark.parametrize(
    "message",
    [
        {"tool_calls": called('{"plan": [1]}')},
        {"tool_calls": called({"plan": [1]})},
        {"content": '{"plan": [1]}'},
        {"content": '\n```json\n{"plan": [1]}\n```'},
        {"content": '{"name": "act", "arguments": {"plan": [1]}}'},
        {"content": '{"name": "act", "parameters": {"plan": [1]}}', "tool_calls": []},
    ],
)
def test_a_call_is_understood_however_a_server_writes_it(message):
    reply = reply_from_chat(completion(**message), tool="act", request_id=None)
    assert (reply.ending, reply.call, reply.said) == (CALLED, {"plan": [1]}, "")
    assert reply.usage == Usage()
    assert reply.request_id == "chatcmpl-1"


@pytest.mark.parametrize(
    ("body", "ending", "said"),
    [
        (completion(tool_calls=[*called("{}"), *called('{"a": 1}')]), SPOKE, 'act({"a": 1})'),
        (completion(content='{"plan": [1]} or {"plan": [2]}?'), SPOKE, "or"),
        (completion(content='I see {"score": 1} there.'), SPOKE, "score"),
        (completion(content='<think>{"plan": [1]}'), SPOKE, ""),
        (completion(content='[TOOL_CALLS][{"name": "fly", "arguments": {}}]'), SPOKE, "fly"),
        (completion(tool_calls=called('{"plan": [')), SPOKE, 'act({"plan": [)'),
        (completion(tool_calls=called("")), SPOKE, "act()"),
        (completion(tool_calls=called("{}", name="fly")), SPOKE, "fly({})"),
        (completion(content="[1]"), SPOKE, "[1]"),
        (completion(content="Let me see."), SPOKE, "Let me see."),
        (completion(content="Let me", finish="length"), CUT, "Let me"),
        (completion(finish="content_filter"), REFUSED, ""),
        (completion(refusal="No."), REFUSED, "No."),
    ],
)
def test_what_is_no_call_is_told(body, ending, said):
    reply = reply_from_chat(body, tool="act", request_id=None, keys=("plan",))
    assert reply.ending == ending
    assert reply.call is None
    assert said in reply.said


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_reasoning_beside_an_answer_is_kept(key):
    body = completion(tool_calls=called("{}"), **{key: "Hm."})
    assert reply_from_chat(body, tool="act", request_id=None).thought == "Hm."


def test_tokens_found_in_the_cache_are_not_counted_twice():
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 60},
    }
    body = completion(content="{}") | {"usage": usage}
    reply = reply_from_chat(body, tool="act", request_id="req_1")
    assert reply.usage == Usage(input=40, cache_read=60, output=7)
    assert reply.request_id == "req_1"


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_every_servers_dialect_is_understood(server, dialect):
    server.dialect = dialect
    server.policy = Steady(6)
    reply = ask_one(chat(), question(tool=ACT, now="Now:\n" + json.dumps(SNAPSHOT)))
    assert reply.ending == CALLED
    decision = Decision.from_call(reply.call, decision_steps=6, most_holds=3)
    assert len(decision.actions()) == 6
    assert "Hm." in reply.thought or "reasoning" not in dialect
    assert len(server.requests) == 1


def events(*pieces, end="\n\n", last="[DONE]"):
    """Pieces of a stream; a dict is the difference that a piece makes."""
    texts = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in pieces]
    return "".join(f"data: {text}{end}" for text in (*texts, last) if text).encode()


def piece(finish=None, **delta):
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def of_call(arguments, name=None, **about):
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return piece(tool_calls=[{"function": function, **about}])


LAST = piece("tool_calls")
HALVES = ('{"plan"', ": [1]}")


@pytest.mark.parametrize(
    "body",
    [
        events(of_call(HALVES[0], "act", index="0"), of_call(HALVES[1], index=0), LAST),
        events(of_call(HALVES[0], "act"), of_call(HALVES[1], "act"), LAST),
        events(of_call(HALVES[0], "act", id=1), of_call(HALVES[1], "act", id=1), LAST),
        events(of_call('{"plan": [1]}', "act", index=0)),  # ends without saying why
        events(of_call('{"plan": [1]}', "act", index=0), LAST, last='"[DONE]"'),
        events(of_call('{"plan": [1]}', "act", index=0), LAST, last='{"done": true}'),
        events({"type": "ping"}, of_call('{"plan": [1]}', "act", index=0), LAST, {"usage": {}}),
        events(piece(reasoning="a\u2028b\x85c"), of_call('{"plan": [1]}', "act", index=0), LAST),
        events(
            piece(content=""),
            piece(content=[{"type": "thinking", "thinking": "Hm."}]),
            piece(content="ok"),
            of_call('{"plan": [1]}', "act", index=0),
            LAST,
        ),
        events(
            *(piece(content=[{"type": "text", "text": half}]) for half in ('{"pl', 'an": [1]}')),
            piece("stop"),
        ),
        events(of_call('{"plan": [1]}', "act", index=0), LAST, end="\r\n\r\n"),
        events(of_call('{"plan": [1]}', "act", index=0), LAST, end="\n"),
        b'data: {"choices": [{"finish_reason": "stop",\ndata: "delta": {"content": "{\\"plan\\":'
        b' [1]}"}}]}\n\ndata: [DONE]\n\n',
        b"\n".join(
            json.dumps(one).encode() for one in (of_call('{"plan": [1]}', "act", index=0), LAST)
        ),
    ],
)
def test_a_stream_is_understood_however_a_server_breaks_it_up(body):
    whole = completion_in(body)
    reply = reply_from_chat(whole, tool="act", request_id=None, keys=("plan",))
    assert (reply.ending, reply.call) == (CALLED, {"plan": [1]})


@pytest.mark.parametrize(
    "body",
    [
        events(of_call(HALVES[0], "act", index=0), last=""),  # breaks off
        events(of_call(HALVES[0], "act", index=0), '{"choices": [', last=""),
        b'data: {"choices"\n\n' + events(LAST),
    ],
)
def test_a_stream_that_breaks_off_is_damage(body):
    with pytest.raises(ValueError, match="stream"):
        completion_in(body)


def test_a_call_that_is_only_considered_is_not_played():
    told = 'Either {"plan": [1]} or not.'
    body = completion(content="", reasoning=told)
    reply = reply_from_chat(body, tool="act", request_id=None, keys=("plan",))
    assert (reply.ending, reply.call, reply.thought) == (SPOKE, None, told)


def test_two_calls_that_say_otherwise_are_none():
    calls = [{"function": {"name": "act", "arguments": f'{{"plan": [{n}]}}'}} for n in (1, 2)]
    body = completion(content=None, tool_calls=calls)
    reply = reply_from_chat(body, tool="act", request_id=None, keys=("plan",))
    assert (reply.ending, reply.call) == (SPOKE, None)


def test_thoughts_in_tags_are_kept_as_thoughts():
    body = completion(content='<think>Hm.</think>{"plan": [1]}')
    reply = reply_from_chat(body, tool="act", request_id=None)
    assert (reply.call, reply.thought, reply.said) == ({"plan": [1]}, "Hm.", "")


@pytest.mark.parametrize("lacks", [*([one] for one in sorted(LACKS)), sorted(LACKS)])
def test_what_a_server_lacks_is_left_out_and_not_tried_again(server, lacks, caplog):
    server.lacks = lacks
    server.policy = Steady(6)
    if any(one.startswith("tools") for one in lacks):
        server.policy = None  # there is no tool to be called: it says what it likes
    llm = chat(max_retries=0)
    now = "Now:\n" + json.dumps(SNAPSHOT)
    replies = ask(llm, *(question(one, tool=ACT, now=now) for one in range(5)))
    assert {reply.ending for reply in replies} <= {CALLED, SPOKE}
    assert not server.malformed
    assert "is asked without from now on" in caplog.text
    assert not refused(llm.params(question(tool=ACT)), lacks)
    assert refused(chat().params(question(tool=ACT)), lacks)


def test_without_tools_the_tool_is_told_in_words(server):
    server.lacks = ["tools"]
    ask_one(chat(max_retries=0))
    sent = server.requests[-1].body
    assert "tools" not in sent
    assert json.dumps(SCHEMA) in sent["messages"][0]["content"]


def test_an_answer_that_cannot_be_read_is_shown(server, monkeypatch):
    monkeypatch.setattr(endpoint, "_PAUSE_S", 0.0)
    server.inside = {"choices": None, "note": "warming up"}
    error = fails(chat(max_retries=0))
    assert not error.fatal
    assert "sent 3 answers that cannot be read (the last begins" in error.reason
    assert "warming up" in error.reason


def test_a_server_that_says_that_its_model_miscalled_is_not_asked_more_simply(server, monkeypatch):
    monkeypatch.setattr(endpoint, "_PAUSE_S", 0.0)
    words = "Failed to call a function. Please adjust your prompt."
    server.inside = {"error": {"message": words, "code": "tool_use_failed"}}
    llm = chat(max_retries=0)
    reply = ask_one(llm)
    assert (reply.ending, reply.call) == (SPOKE, None)
    assert "tools" in llm.params(question())


def test_a_refusal_that_names_nothing_we_send_stops_with_the_servers_words(server):
    server.chat_models = ()
    error = fails(chat())
    assert error.fatal
    assert "`local-model` does not exist" in error.reason
    assert len(server.requests) == 1


def test_a_server_that_streams_unasked_is_understood(server):
    server.always_streams = True
    reply = ask_one(chat(), question(4))
    assert reply.call == {"plan": [{"aim": {}, "hold": 4}]}
    assert reply.usage.output == server.spent["output"]


@pytest.mark.parametrize(
    ("inside", "words", "fatal"),
    [
        ({"error": {"message": "No such model", "code": 404}}, "(404): No such model", True),
        ({"error": "The model is loading."}, "(200): The model is loading; try again", False),
        ({"error": {"message": "Busy", "code": 502}}, "(502): Busy", False),
        ({"object": "error", "message": "Too long", "code": 400}, "Too long", True),
        (
            {"choices": [{"error": {"message": "Broke", "code": 500}, "finish_reason": "error"}]},
            "Broke",
            False,
        ),
        (
            {"error": {"message": "Provider returned error", "metadata": {"raw": "no room"}}},
            "Provider returned error (no room)",
            False,
        ),
    ],
)
def test_an_error_inside_a_good_answer_is_told_in_the_servers_words(
    server, inside, words, fatal, monkeypatch
):
    monkeypatch.setattr(endpoint, "_PAUSE_S", 0.0)
    server.inside = inside
    error = fails(chat(max_retries=0))
    assert words in error.reason
    assert error.fatal is fatal


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": "plain words"}, "plain words"),
        ({"detail": "plain words"}, "plain words"),
        ({"detail": [{"loc": ["body", "x"], "msg": "plain words"}]}, "body.x: plain words"),
        ([{"error": {"message": "plain words", "status": "INVALID"}}], "plain words"),
        ({"message": "plain words", "object": "error"}, "plain words"),
        ({"error": {"message": {"detail": "plain words"}}}, "plain words"),
        ("plain words", "plain words"),
        ("<html><title>502</title></html>", ""),
        (None, ""),
    ],
)
def test_an_errors_own_words_are_found_in_every_form(body, words):
    assert told_by(body).message == words


# Doors to Claude


def test_a_bearer_token_alone_will_do(server, monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", KEY)
    assert ask_one(claude()).ending == CALLED


def test_where_there_is_a_key_no_token_is_sent(server, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "another")
    llm = claude()
    assert ask_one(llm).ending == CALLED
    assert llm.client.auth_token is None


def test_bedrock_is_asked_through_its_own_client(server, monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", KEY)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("ANTHROPIC_BEDROCK_BASE_URL", server.url)
    error = fails(claude(provider="bedrock"))
    assert server.requests[-1].path == "/model/claude-opus-4-8/invoke"
    assert error.reason.startswith("Amazon Bedrock knows nothing of that name (404")


def test_bedrock_without_an_account_says_so(monkeypatch):
    for name in ("AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("ANTHROPIC_BEDROCK_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises((ValueError, LLMError), match=r"^Amazon Bedrock") as said:
        ask_one(claude(provider="bedrock", max_retries=0))
    assert "\n" not in str(said.value)


@pytest.fixture
def google(monkeypatch):
    """What Google's library would find, and a region."""
    found = {"project": None}

    def default():
        if "problem" in found:
            raise RuntimeError(found["problem"])
        return object(), found["project"]

    monkeypatch.setitem(sys.modules, "google.auth", SimpleNamespace(default=default))
    monkeypatch.setattr(claude_module, "_installed", lambda _: True)
    monkeypatch.setenv("CLOUD_ML_REGION", "us-east5")
    for name in ("ANTHROPIC_VERTEX_PROJECT_ID", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    return found


def test_vertex_is_asked_in_the_accounts_own_project_unless_told_another(google, monkeypatch):
    google["project"] = "of-the-account"
    assert claude(provider="vertex").client.project_id == "of-the-account"
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "of-the-shell")
    assert claude(provider="vertex").client.project_id == "of-the-shell"
    monkeypatch.setenv("ANTHROPIC_VERTEX_PROJECT_ID", "mine")
    assert claude(provider="vertex").client.project_id == "mine"


def test_vertex_without_an_account_or_a_project_says_so(google):
    with pytest.raises(ValueError, match=r"^Set ANTHROPIC_VERTEX_PROJECT_ID to the project"):
        claude(provider="vertex")
    google["problem"] = "no credentials\nwere found."
    with pytest.raises(ValueError, match=r"^Vertex AI cannot be asked \(no credentials were found"):
        claude(provider="vertex")


def test_vertex_without_its_region_says_what_to_set(monkeypatch):
    monkeypatch.delenv("CLOUD_ML_REGION", raising=False)
    with pytest.raises(ValueError, match="Set CLOUD_ML_REGION"):
        claude(provider="vertex")


def test_an_unknown_provider_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'bedrock'"):
        claude(provider="bedrok")


def test_batches_through_others_are_refused(server, monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", KEY)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with pytest.raises(ValueError, match="Anthropic's own API only"):
        BatchClient(claude(provider="bedrock"))


# The way there


@both
def test_a_missing_file_of_certificates_is_named(server, make, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/certificates.pem")
    with pytest.raises(ValueError, match=r"SSL_CERT_FILE=/nowhere/certificates\.pem"):
        make()


@both
def test_a_proxy_that_is_none_is_named_and_not_quoted(server, make, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "ftp://me:secret@nowhere")
    with pytest.raises(ValueError, match="HTTPS_PROXY") as refused:
        make()
    assert "secret" not in str(refused.value)


def test_who_cannot_be_reached_through_a_proxy_is_told_of_it(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://me:secret@127.0.0.1:9")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://example.invalid/v1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    error = fails(chat(max_retries=0))
    assert "through the proxy that HTTP_PROXY names" in error.reason
    assert "secret" not in error.reason


# Batches


def test_questions_that_come_close_together_go_out_as_one_batch(server):
    replies = ask(batches(), *map(question, range(20)))
    assert [reply.call["plan"][0]["hold"] for reply in replies] == list(range(20))
    assert creations(server) == 1
    assert server.spent_in_batches["replies"] == 20


def test_questions_that_come_later_go_out_in_a_batch_of_their_own(server):
    async def in_turn():
        async with opened(batches()) as llm:
            return [await llm.complete(question(number)) for number in range(3)]

    assert [reply.ending for reply in asyncio.run(in_turn())] == [CALLED] * 3
    assert creations(server) == 3


def test_a_batch_goes_out_when_it_is_full(server, monkeypatch):
    monkeypatch.setattr("arena_breaker_agents.tutor.batches._MOST", 4)
    replies = ask(batches(gather=0.1), *map(question, range(10)))
    assert {reply.ending for reply in replies} == {CALLED}
    sent = [one.body["requests"] for one in server.requests if one.method == "POST"]
    assert [len(one) for one in sent] == [4, 4, 2]


def test_two_questions_of_one_name_go_out_apart(server):
    first, second = question(1), question(2, ident=question(1).ident)
    replies = ask(batches(), first, second)
    assert [reply.call["plan"][0]["hold"] for reply in replies] == [1, 2]
    assert creations(server) == 2


async def _killed_while_waiting(server, log, questions):
    """Asks, and is gone as soon as the batch has been written down."""
    server.batch_polls = 10**9
    llm = batches(log)
    asks = [asyncio.ensure_future(llm.complete(one)) for one in questions]
    while not log.exists() or not log.read_bytes().endswith(b"\n"):
        await asyncio.sleep(0.005)
    for one in asks:
        one.cancel()
    await asyncio.gather(*asks, return_exceptions=True)
    await llm.close()
    server.batch_polls = 0


def test_a_killed_run_finds_its_batch_again_and_pays_nothing(server, tmp_path):
    log = tmp_path / "run" / "batches.jsonl"
    questions = [question(number) for number in range(5)]
    asyncio.run(_killed_while_waiting(server, log, questions))
    assert creations(server) == 1
    for _ in range(2):  # once while it is under way, once after it has ended
        llm = batches()
        llm.set_log(log)
        replies = ask(llm, *questions)
        assert [reply.call["plan"][0]["hold"] for reply in replies] == list(range(5))
    assert creations(server) == 1
    assert server.spent["replies"] == 5


def test_results_of_a_batch_of_before_may_be_asked_for_one_by_one(server, tmp_path):
    log = tmp_path / "batches.jsonl"
    ask(batches(log), question(1), question(2))

    async def in_turn():
        async with opened(batches(log)) as llm:
            return [await llm.complete(question(number)) for number in (2, 1)]

    assert [reply.call["plan"][0]["hold"] for reply in asyncio.run(in_turn())] == [2, 1]
    assert creations(server) == 1


def test_another_question_of_the_same_name_is_asked(server, tmp_path):
    log = tmp_path / "batches.jsonl"
    ask_one(batches(log), question(1))
    reply = ask_one(batches(log), question(2, ident=question(1).ident))
    assert reply.call["plan"][0]["hold"] == 2
    assert creations(server) == 2


@pytest.mark.parametrize("fault", ["internal_error", "timeout"])  # errored, expired
def test_what_a_batch_left_unanswered_is_asked_again_by_the_next_run(server, tmp_path, fault):
    log = tmp_path / "batches.jsonl"
    server.faults = Script([fault])
    error = fails(batches(log))
    assert not error.fatal
    assert ("api_error" if fault == "internal_error" else "expired") in error.reason
    assert ask_one(batches(log)).ending == CALLED
    assert creations(server) == 2


def test_a_batch_that_the_api_has_forgotten_is_asked_again(server, tmp_path):
    log = tmp_path / "batches.jsonl"
    log.write_text(
        ask_one(batches(log)) and log.read_text().replace("msgbatch_fake000001", "msgbatch_gone")
    )
    assert ask_one(batches(log)).ending == CALLED
    assert creations(server) == 2


def test_a_half_line_of_a_killed_writer_is_dropped(server, tmp_path):
    log = tmp_path / "batches.jsonl"
    ask_one(batches(log), question(1))
    with log.open("a") as file:
        file.write('{"batch": "msgba')
    ask(batches(log), question(1), question(2))
    assert [json.loads(line)["batch"] for line in log.read_text().splitlines()] == [
        "msgbatch_fake000001",
        "msgbatch_fake000002",
    ]


def test_a_file_that_is_no_log_is_refused(server, tmp_path):
    log = tmp_path / "batches.jsonl"
    log.write_text('{"batch": "b", "requests": {}}\n{"what": 1}\n')
    with pytest.raises(ValueError, match=re.escape(f"{log}, line 2: this is no batch.")):
        batches(log)


def test_a_log_that_cannot_be_written_stops_the_run(server, tmp_path):
    (tmp_path / "file").touch()
    error = fails(batches(tmp_path / "file" / "batches.jsonl"))
    assert error.fatal
    assert "cannot be written" in error.reason


@pytest.mark.parametrize("fault", [*FATAL, "overloaded"])
def test_a_batch_that_cannot_be_created_fails_all_its_questions(server, fault):
    server.batch_faults = Script(always=fault)
    outcomes = ask(batches(max_retries=1), question(1), question(2))
    assert [outcome.fatal for outcome in outcomes] == [fault in FATAL] * 2
    assert len(server.requests) == (1 if fault in FATAL else 2)


def test_a_question_that_is_refused_in_a_batch_is_fatal(server):
    error = fails(batches(thinking=2000))
    assert error.fatal
    assert "invalid_request_error" in error.reason


def test_a_batch_under_way_is_not_given_up_because_nobody_answers_for_a_while(server):
    server.batch_faults = Script(dict.fromkeys(range(2, 6), "unavailable"))
    assert ask_one(batches(max_retries=0)).ending == CALLED
    assert creations(server) == 1


def test_results_that_arrive_in_part_are_fetched_again(server):
    server.batch_polls = 0
    server.batch_faults = Script({3: "cut_body"})
    assert {one.ending for one in ask(batches(), *map(question, range(5)))} == {CALLED}
    assert creations(server) == 1


def test_a_batch_that_never_ends_is_given_up_when_patience_ends(server):
    server.batch_polls = 10**9
    error = fails(batches(patience=0.2))
    assert not error.fatal
    assert "did not end" in error.reason


def test_who_leaves_before_a_batch_goes_out_is_not_asked_for(server):
    async def leave():
        async with opened(batches(gather=0.1)) as llm:
            leaving = asyncio.ensure_future(llm.complete(question(1)))
            staying = asyncio.ensure_future(llm.complete(question(2)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            leaving.cancel()
            return (await staying).call["plan"][0]["hold"]

    assert asyncio.run(leave()) == 2
    assert server.spent["replies"] == 1


def test_closing_leaves_batches_alone(server, tmp_path):
    asyncio.run(_killed_while_waiting(server, tmp_path / "log.jsonl", [question()]))
    assert {one.method for one in server.requests} <= {"GET", "POST"}
    assert not any(one.path.endswith("cancel") for one in server.requests)


def test_a_batch_that_is_being_created_at_the_end_is_written_down(server, tmp_path):
    log = tmp_path / "batches.jsonl"
    server.retry_after = 0.2
    server.batch_faults = Script(["unavailable"])

    async def leave():
        async with opened(batches(log)) as llm:
            asking = asyncio.ensure_future(llm.complete(question()))
            while not server.requests:
                await asyncio.sleep(0.005)
            asking.cancel()

    asyncio.run(leave())
    assert "msgbatch_fake000001" in log.read_text()
    assert ask_one(batches(log)).ending == CALLED
    assert server.spent["replies"] == 1


@pytest.mark.parametrize("name", ["gather", "poll", "patience"])
def test_times_of_a_batch_must_be_above_nothing(server, name):
    with pytest.raises(ValueError, match=rf"^{name} must be above 0 seconds"):
        BatchClient(claude(), **{name: 0.0})


def test_a_tutors_settings_take_numpys_numbers_and_hold_plain_ones():
    settings = TutorSettings(decision_steps=np.int64(4), history=np.int8(0), budget=np.float32(0.5))
    assert settings == TutorSettings(decision_steps=4, history=0, budget=0.5)
    assert (type(settings.decision_steps), type(settings.budget)) == (int, float)
    for wrong in ({"history": np.float64(2)}, {"repairs": np.bool_(True)}, {"budget": np.nan}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
            TutorSettings(**wrong)


def test_a_connection_takes_numpys_numbers_and_holds_plain_ones():
    plain = plain_connection(max_retries=np.int64(2), timeout=np.float32(1.5), patience=np.int8(3))
    assert plain == (2, 1.5, 3.0)
    assert [type(value) for value in plain] == [int, float, float]
    with pytest.raises(ValueError, match="timeout must be above 0 seconds"):
        plain_connection(max_retries=0, timeout=0, patience=1)
