"""The fake APIs, asked by the real clients: replies, cache, faults, batches and chat."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import anthropic
import gymnasium as gym
import numpy as np
import openai
import pytest

import arena_breaker_gym  # noqa: F401 - registers the environment
from tests.fake_apis import FATAL, RETRYABLE, UNUSABLE, FakeApis, Nimble, Script, Share, Steady

MODEL = "claude-haiku-4-5"
ADAPTIVE = "claude-opus-4-8"


def an_object(**properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


STICK = an_object(x={"type": "number"}, z={"type": "number"})
ITEM = an_object(move=STICK, aim=STICK, dash={"type": "boolean"}, hold={"type": "integer"})
SCHEMA = an_object(plan={"type": "array", "items": ITEM, "minItems": 1})
TOOL = {"name": "act", "description": "Acts.", "strict": True, "input_schema": SCHEMA}

SNAPSHOT = {
    "player": {
        "pos": {"x": 1.0, "z": 0.0},
        "hp": 5,
        "dash_ready": True,
        "aim": {"x": 1.0, "z": 0.0},
    },
    "enemies": [{"type": "swarmer", "dx": 3.0, "dz": 4.0, "dist": 5.0, "hp": 1}],
    "enemy_projectiles": [],
    "hazards": [],
    "stage": 1,
    "wave": 1,
    "score": 0,
}


def text(content, ttl=None):
    """A text block, with a breakpoint after it if a lifetime is given."""
    mark = {"cache_control": {"type": "ephemeral", "ttl": ttl}} if ttl else {}
    return {"type": "text", "text": content, **mark}


def question(*earlier, rules="Be good.", **changes):
    """Parameters of a request as a tutor sends it."""
    now = text("Now:\n" + json.dumps(SNAPSHOT))
    return {
        "model": MODEL,
        "max_tokens": 2048,
        "system": [text(rules, "5m")],
        "tools": [TOOL],
        "tool_choice": {"type": "tool", "name": "act", "disable_parallel_tool_use": True},
        "messages": [{"role": "user", "content": [*earlier, now]}],
    } | changes


def claude(server, **options):
    settings = {"api_key": server.key, "base_url": server.url, "max_retries": 0} | options
    plain = anthropic.DefaultHttpxClient(verify=False)  # loading certificates takes longest
    return anthropic.Anthropic(http_client=plain, **settings)


def asked(server, *, options=None, **changes):
    with claude(server, **(options or {})) as client:
        return client.messages.create(**question(**changes))


@pytest.fixture
def server():
    with FakeApis() as running:
        yield running


@pytest.fixture
def quick_retries(monkeypatch):
    monkeypatch.setattr("anthropic._base_client.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)


# Replies


def test_a_reply_calls_the_tool_with_what_the_policy_says(server):
    reply = asked(server)
    assert reply.stop_reason == "tool_use"
    (block,) = reply.content
    assert (block.type, block.name) == ("tool_use", "act")
    assert block.input == Steady()(SNAPSHOT, TOOL)
    assert block.input["plan"][0]["aim"] == {"x": 0.6, "z": 0.8}
    assert block.input["plan"][0]["hold"] == 6
    assert reply._request_id == server.requests[0].request_id
    assert not server.malformed


def test_a_policy_may_be_set(server):
    server.policy = lambda snapshot, tool: {"plan": [], "saw": snapshot["wave"], "by": tool["name"]}
    assert asked(server).content[0].input == {"plan": [], "saw": 1, "by": "act"}


def test_a_policy_that_breaks_is_seen(server):
    server.policy = lambda snapshot, tool: snapshot["nothing"]
    with pytest.raises(anthropic.InternalServerError, match="KeyError"):
        asked(server)
    assert "KeyError" in server.malformed[0].reason


def played(policy, seed):
    env = gym.make("ArenaBreaker-v0", observation="state")
    env.reset(seed=seed)
    for _ in range(200):
        for item in policy(env.unwrapped.snapshot(), TOOL)["plan"]:
            sticks = [item[stick][axis] for stick in ("move", "aim") for axis in "xz"]
            for step in range(item["hold"]):
                action = np.array([*sticks, item["dash"] and step == 0], dtype=np.float32)
                *_, terminated, truncated, info = env.step(action)
                if terminated or truncated:
                    return info["kills"]
    return info["kills"]


@pytest.mark.parametrize("policy", [Steady(), Nimble()])
def test_a_policy_plays_well_enough_to_be_worth_learning_from(policy):
    assert np.mean([played(policy, seed) for seed in range(4)]) > 5


def test_nimble_plans_have_two_or_three_items_of_varied_holds():
    plans = []
    for x in np.linspace(-5, 5, 40):
        player = {**SNAPSHOT["player"], "pos": {"x": round(float(x), 2), "z": 0.5}}
        plans.append(Nimble(hold=4)(SNAPSHOT | {"player": player}, TOOL)["plan"])
    assert {len(plan) for plan in plans} == {2, 3}
    assert {item["hold"] for plan in plans for item in plan} == {1, 2, 3, 4}


AUTO = {"type": "auto", "disable_parallel_tool_use": True}


def test_thoughts_come_first_and_newer_models_keep_them_to_themselves(server):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    older = asked(server, tool_choice=AUTO, thinking=thinking)
    assert [block.type for block in older.content] == ["thinking", "tool_use"]
    assert older.content[0].thinking
    assert older.usage.output_tokens_details.thinking_tokens > 0
    for display, shown in ((None, False), ("omitted", False), ("summarized", True)):
        thinking = {"type": "adaptive"} | ({"display": display} if display else {})
        newer = asked(server, model=ADAPTIVE, tool_choice=AUTO, thinking=thinking)
        assert bool(newer.content[0].thinking) is shown
        assert newer.content[0].signature
        assert newer.usage.output_tokens == older.usage.output_tokens


def test_models_that_think_unasked_do_so_unless_a_tool_is_forced(server):
    kinds = [
        [block.type for block in asked(server, model="claude-opus-5", **changes).content]
        for changes in ({"tool_choice": AUTO}, {}, {"thinking": {"type": "disabled"}})
    ]
    assert kinds == [["thinking", "tool_use"], ["tool_use"], ["tool_use"]]


def test_too_few_tokens_cut_the_call(server):
    assert asked(server, max_tokens=5).stop_reason == "max_tokens"


# The prompt cache

LONG = "The rules of the game. " * 200  # some 1,300 tokens


def used(server, *earlier, **changes):
    """(fresh, written for 5 minutes, written for an hour, read) tokens of one question."""
    with claude(server) as client:
        usage = client.messages.create(**question(*earlier, **changes)).usage
    kept = usage.cache_creation
    written = (kept.ephemeral_5m_input_tokens, kept.ephemeral_1h_input_tokens)
    assert usage.cache_creation_input_tokens == sum(written)
    return usage.input_tokens, *written, usage.cache_read_input_tokens


def test_a_prefix_is_written_once_then_read_until_it_expires(server):
    now = 1000.0
    server.clock = lambda: now
    fresh, written, _, read = used(server, rules=LONG)
    assert written > 1024
    assert read == 0
    for _ in range(3):  # each reading keeps it alive
        now += 299.0
        assert used(server, rules=LONG) == (fresh, 0, 0, written)
    now += 301.0
    assert used(server, rules=LONG) == (fresh, written, 0, 0)


def test_an_hour_is_an_hour_and_is_counted_apart(server):
    now = 1000.0
    server.clock = lambda: now
    system = [text(LONG, "1h")]
    fresh, short, written, _ = used(server, system=system)
    assert short == 0
    now += 3599.0
    assert used(server, system=system) == (fresh, 0, 0, written)


def test_turns_that_grow_are_read_as_far_as_they_were_seen(server):
    def turns(count):
        marks = [None] * (count - 1) + ["5m"]
        return [text(f"Earlier:\n{index} {'x' * 350}", ttl) for index, ttl in enumerate(marks)]

    _, first, _, _ = used(server, *turns(1), rules=LONG)
    fresh, second, _, read = used(server, *turns(2), rules=LONG)
    assert read == first
    assert 100 <= second < 130
    assert used(server, *turns(2), rules=LONG) == (fresh, 0, 0, first + second)
    # Its beginning cut off, only what stands before the messages is found.
    _, _, _, read = used(server, *turns(2)[1:], rules=LONG)
    assert 1024 < read < first


@pytest.mark.parametrize(
    "changes",
    [
        {"rules": "!" + LONG},
        {"rules": LONG, "model": "claude-opus-4-5"},
        {"rules": LONG, "tools": [TOOL | {"description": "Otherwise."}]},
    ],
)
def test_whatever_changes_before_a_breakpoint_is_written_anew(server, changes):
    used(server, rules=LONG)
    _, written, _, read = used(server, **changes)
    assert read == 0
    assert written > 1024


def test_less_than_the_minimum_is_not_kept(server):
    for _ in range(2):
        fresh, *others = used(server)
        assert others == [0, 0, 0]
        assert fresh > 0


def test_requests_at_once_all_write(server):
    server.gate = threading.Event()

    async def ask_twice():
        async with anthropic.AsyncAnthropic(api_key=server.key, base_url=server.url) as client:
            asks = [
                asyncio.create_task(client.messages.create(**question(rules=LONG)))
                for _ in range(2)
            ]
            await asyncio.to_thread(server.wait_for_requests, 2)
            server.gate.set()
            return [(await ask).usage.cache_creation_input_tokens > 1024 for ask in asks]

    assert asyncio.run(ask_twice()) == [True, True]
    assert used(server, rules=LONG)[3] > 1024


def test_tokens_add_up_and_are_booked(server):
    with claude(server) as client:
        counted = client.messages.count_tokens(
            **{key: value for key, value in question(rules=LONG).items() if key != "max_tokens"}
        ).input_tokens
    rows = [used(server, rules=LONG) for _ in range(2)]
    assert [sum(row) for row in rows] == [counted, counted]
    fresh, written, _, _ = rows[0]
    spent = server.spent
    assert (spent["input"], spent["cache_write_5m"]) == (2 * fresh, written)
    assert (spent["cache_read"], spent["replies"]) == (written, 2)
    assert spent["output"] == sum(r.usage["output_tokens"] for r in server.requests if r.usage)


# Faults

SEEN_AS = {
    "rate_limit": anthropic.RateLimitError,
    "internal_error": anthropic.InternalServerError,
    "bad_gateway": anthropic.InternalServerError,
    "unavailable": anthropic.InternalServerError,
    "overloaded": anthropic.InternalServerError,
    "timeout": anthropic.APITimeoutError,
    "dropped": anthropic.APIConnectionError,
    "cut_body": anthropic.APIConnectionError,
    "authentication": anthropic.AuthenticationError,
    "billing": anthropic.APIStatusError,
    "permission": anthropic.PermissionDeniedError,
    "not_found": anthropic.NotFoundError,
}


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("fault", RETRYABLE)
def test_what_can_be_retried_is_an_error_first_and_a_reply_then(server, fault):
    patience = 0.3 if fault == "timeout" else 10.0
    server.faults = Script([fault])
    with pytest.raises(SEEN_AS[fault]) as seen:
        asked(server, options={"timeout": patience})
    if fault == "rate_limit":
        assert seen.value.response.headers["retry-after"] == "0.01"
    if fault == "overloaded":
        assert (seen.value.status_code, seen.value.type) == (529, "overloaded_error")
    assert server.spent["replies"] == 0
    server.faults = Script({2: fault})
    assert asked(server, options={"max_retries": 1, "timeout": patience}).stop_reason == "tool_use"
    assert [record.fault for record in server.requests] == [fault, fault, None]
    assert not server.malformed


@pytest.mark.parametrize("fault", FATAL)
def test_what_is_fatal_is_not_asked_again(server, fault):
    server.faults = Script(always=fault)
    with pytest.raises(SEEN_AS[fault]) as seen:
        asked(server, options={"max_retries": 3})
    assert len(server.requests) == 1
    assert seen.value.request_id == server.requests[0].request_id
    assert seen.value.body["error"]["type"] == seen.value.type


def call_in(server):
    (block,) = asked(server).content
    assert block.type == "tool_use"
    return block.input


def test_a_truncated_body_is_no_json(server):
    server.faults = Script(["truncated_json"])
    with pytest.raises(json.JSONDecodeError):
        asked(server)
    assert server.spent["replies"] == 0


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        ("wrong_types", lambda call: call["plan"][0]["hold"] == "long"),
        ("missing_keys", lambda call: "aim" not in call["plan"][0]),
        ("zero_hold", lambda call: call["plan"][0]["hold"] == 0),
        ("huge_hold", lambda call: call["plan"][0]["hold"] == 10**6),
        ("nan_strings", lambda call: call["plan"][0]["move"]["x"] == "NaN"),
        ("empty_plan", lambda call: call == {"plan": []}),
        ("unknown_keys", lambda call: "why" in call),
        ("not_an_object", lambda call: isinstance(call, list)),
    ],
)
def test_a_call_can_be_wrong_in_itself(server, fault, shown):
    server.faults = Script([fault])
    assert shown(call_in(server))
    assert call_in(server) == Steady()(SNAPSHOT, TOOL)


@pytest.mark.parametrize(
    ("fault", "stop", "kinds"),
    [
        ("no_call", "end_turn", ["text"]),
        ("wrong_tool", "tool_use", ["tool_use"]),
        ("two_calls", "tool_use", ["tool_use", "tool_use"]),
        ("refusal", "refusal", []),
        ("max_tokens", "max_tokens", ["tool_use"]),
    ],
)
def test_a_reply_can_be_another_than_one_whole_call(server, fault, stop, kinds):
    server.faults = Script([fault])
    reply = asked(server)
    assert (reply.stop_reason, [block.type for block in reply.content]) == (stop, kinds)
    assert (reply.stop_details is not None) is (fault == "refusal")
    if fault == "wrong_tool":
        assert reply.content[0].name != "act"
    if fault == "max_tokens":
        assert "hold" not in reply.content[0].input["plan"][0]
    assert server.spent["replies"] == 1


def test_a_share_of_faults_is_seeded_and_of_the_size_that_was_asked():
    first, again, other = Share(0.3, seed=1), Share(0.3, seed=1), Share(0.3, seed=2)
    drawn = [first(number) for number in range(1000)]
    assert drawn == [again(number) for number in range(1000)]
    assert drawn != [other(number) for number in range(1000)]
    assert 250 < sum(fault is not None for fault in drawn) < 350
    assert set(drawn) - {None} == set(RETRYABLE + UNUSABLE)


def test_a_fault_that_is_none_is_refused():
    with pytest.raises(ValueError, match="no fault 'bad_luck'"):
        Script(["bad_luck"])


# Malformed requests


def schema_with(part):
    return an_object(plan={"type": "array", "items": an_object(hold=part), "minItems": 1})


def tool_with(part):
    return {"tools": [TOOL | {"input_schema": schema_with(part)}]}


RECURSIVE = an_object(next={"$ref": "#/$defs/node"}) | {
    "$defs": {"node": an_object(next={"$ref": "#/$defs/node"})}
}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"extra_body": {"thoughts": True}}, "thoughts: Extra inputs"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"extra_body": {"max_tokens": "many"}}, "max_tokens"),
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "assistant", "content": "Hello"}]}, "alternate"),
        ({"messages": [{"role": "user", "content": [text(" ")]}]}, "non-whitespace"),
        ({"messages": [{"role": "user", "content": "Hello"}]}, "fake: .* 'Now:'"),
        ({"messages": [{"role": "user", "content": "Now:\nno JSON"}]}, "fake: no JSON"),
        ({"system": [text("One.", "5m")] * 5}, "maximum of 4 blocks .* Found 5"),
        ({"system": [text("a", "5m"), text("b", "1h")]}, "must not come after"),
        ({"system": [text("a", "2h")]}, "cache_control"),
        (tool_with({"type": "integer", "minimum": 1}), "'minimum' is not supported"),
        (tool_with({"type": "integer", "multipleOf": 2}), "'multipleOf' is not supported"),
        (tool_with({"type": "string", "maxLength": 2}), "'maxLength' is not supported"),
        (tool_with({"type": "array", "items": STICK, "maxItems": 3}), "'maxItems'"),
        (tool_with({"type": "array", "items": STICK, "minItems": 2}), "'minItems' values"),
        (tool_with({"type": "object", "properties": {}}), "additionalProperties"),
        ({"tools": [TOOL | {"input_schema": RECURSIVE}]}, "Circular reference"),
        ({"tools": [TOOL, TOOL]}, "unique"),
        ({"tool_choice": {"type": "tool", "name": "dance"}}, "'dance' not found"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "tool_choice forces"),
        (
            {"tool_choice": AUTO, "thinking": {"type": "enabled", "budget_tokens": 1000}},
            "at least 1024",
        ),
        (
            {"tool_choice": AUTO, "thinking": {"type": "enabled", "budget_tokens": 2048}},
            "must be greater",
        ),
        ({"tool_choice": AUTO, "thinking": {"type": "adaptive"}}, "adaptive.* not supported"),
        ({"model": ADAPTIVE, "thinking": {"type": "adaptive"}}, "tool_choice forces"),
        (
            {
                "model": ADAPTIVE,
                "tool_choice": AUTO,
                "thinking": {"type": "enabled", "budget_tokens": 1024},
            },
            "enabled.* not supported",
        ),
        ({"model": ADAPTIVE, "extra_body": {"temperature": 0.5}}, "`temperature` is deprecated"),
        ({"model": ADAPTIVE, "extra_body": {"top_p": 0.5}}, "`top_p` is deprecated"),
        ({"model": "claude-opus-5-5"}, "forces tool use, which is not supported"),
        ({"model": "claude-opus-5-5", "thinking": {"type": "disabled"}}, "not supported"),
        ({"output_config": {"effort": "low"}}, "does not support the effort"),
        ({"model": ADAPTIVE, "output_config": {"effort": "huge"}}, "effort: expected"),
    ],
)
def test_a_malformed_request_is_refused_and_remembered(server, changes, reason):
    with pytest.raises(anthropic.BadRequestError, match=reason) as seen:
        asked(server, **changes)
    assert seen.value.type == "invalid_request_error"
    assert [found.status for found in server.malformed] == [400]
    assert server.spent["replies"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"extra_body": {"temperature": 0.5}},
        {"system": "Be good."},
        {"system": [text("a", "1h"), text("b", "5m")]},
        {"model": ADAPTIVE, "output_config": {"effort": "xhigh"}},
        {
            "model": "claude-sonnet-5-5",
            "tool_choice": AUTO,
            "thinking": {"type": "between_tools"},
        },
        {"tools": [{**TOOL, "strict": False, "input_schema": {"type": "object"}}]},
        {"tools": [TOOL | {"input_schema": SCHEMA | {"required": []}}]},
    ],
)
def test_what_the_api_allows_is_answered(server, changes):
    assert asked(server, **changes).stop_reason == "tool_use"
    assert not server.malformed


def test_a_wrong_key_and_an_unknown_model_have_errors_of_their_own(server):
    with pytest.raises(anthropic.AuthenticationError):
        asked(server, options={"api_key": "stolen"})
    with pytest.raises(anthropic.NotFoundError):
        asked(server, model="claude-9")
    server.models = ("claude-haiku-4-5", "claude-opus-4-5")
    assert asked(server, model="claude-opus-4-5").model == "claude-opus-4-5"
    with pytest.raises(anthropic.NotFoundError):
        asked(server, model=ADAPTIVE)
    assert [found.status for found in server.malformed] == [401, 404, 404]


def test_a_request_without_a_version_or_with_broken_json_is_refused(server):
    headers = {"x-api-key": server.key, "anthropic-version": "2023-06-01"}
    for kept, body in (({"x-api-key": server.key}, b"{}"), (headers, b"{not json")):
        request = urllib.request.Request(f"{server.url}/v1/messages", body, kept)
        with pytest.raises(urllib.error.HTTPError) as seen, urllib.request.urlopen(request):
            pass
        with seen.value as error:
            assert error.code == 400
            assert json.load(error)["error"]["type"] == "invalid_request_error"


def test_records_hold_everything_but_the_key(server):
    asked(server, options={"api_key": server.key})
    (record,) = server.requests
    assert (record.path, record.status, record.fault) == ("/v1/messages", 200, None)
    assert record.body["messages"] == question()["messages"]
    assert record.usage["output_tokens"] > 0
    assert record.reply_id.startswith("msg_")
    assert "anthropic-version" in record.headers
    assert server.key not in json.dumps(server.ledger.content())


# Many at once, and the end


def test_a_hundred_requests_are_under_way_at_once(server):
    server.gate = threading.Event()

    async def ask_all():
        async with anthropic.AsyncAnthropic(
            api_key=server.key, base_url=server.url, max_retries=0
        ) as client:
            asks = asyncio.gather(*(client.messages.create(**question()) for _ in range(100)))
            all_there = await asyncio.to_thread(server.wait_for_requests, 100)
            server.gate.set()
            return all_there, await asks

    all_there, replies = asyncio.run(ask_all())
    assert all_there
    assert len({reply.id for reply in replies}) == 100
    assert server.most_at_once == 100


def test_delays_overlap(server):
    server.delay = 0.2

    async def ask_all():
        async with anthropic.AsyncAnthropic(api_key=server.key, base_url=server.url) as client:
            await asyncio.gather(*(client.messages.create(**question()) for _ in range(10)))

    begun = time.perf_counter()
    asyncio.run(ask_all())
    assert 0.2 <= time.perf_counter() - begun < 1.5
    assert server.most_at_once == 10


@pytest.mark.parametrize("hang", ["delay", "gate", "timeout"])
def test_the_server_closes_while_requests_hang(hang):
    refused = []
    with FakeApis(
        delay=60.0 if hang == "delay" else 0.0,
        gate=threading.Event() if hang == "gate" else None,
        faults=Script(always="timeout") if hang == "timeout" else None,
    ) as server:

        def ask():
            with pytest.raises(anthropic.APIConnectionError):
                asked(server)
            refused.append(True)

        threads = [threading.Thread(target=ask) for _ in range(5)]
        for thread in threads:
            thread.start()
        assert server.ledger.wait_until(lambda _, requests: len(requests) == 5, 10.0)
        begun = time.perf_counter()
    assert time.perf_counter() - begun < 5.0
    for thread in threads:
        thread.join()
    assert len(refused) == 5


def test_it_runs_as_a_process_of_its_own_and_tells_what_it_was_asked():
    command = [sys.executable, "-m", "tests.fake_apis", "--key", "k", "--faults", "1.0,23"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        with anthropic.Anthropic(api_key="k", base_url=url, max_retries=0) as client:
            reply = client.messages.create(**question())
            with pytest.raises(anthropic.NotFoundError):
                client.messages.create(**question(model="claude-9"))
        with urllib.request.urlopen(f"{url}/_records") as response:
            content = json.load(response)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert reply.stop_reason == "end_turn"  # the first fault of this seed is "no_call"
    assert [record["fault"] for record in content["requests"]] == [Share(1.0, 23)(1), None]
    assert content["spent"]["output"] == reply.usage.output_tokens
    assert len(content["malformed"]) == 1


# Batches


def entry(ident, **changes):
    return {"custom_id": ident, "params": question(**changes)}


def ended(client, ident):
    """Asks after a batch until it has ended; returns it, and how often it was not yet."""
    waits = 0
    while (batch := client.messages.batches.retrieve(ident)).processing_status != "ended":
        assert batch.results_url is None
        assert batch.request_counts.succeeded == 0
        waits += 1
    return batch, waits


def results(client, ident):
    return {row.custom_id: row.result for row in client.messages.batches.results(ident)}


def test_a_batch_is_created_waited_for_and_read(server):
    server.batch_polls = 2
    idents = [f"ask-{index}" for index in range(20)]
    with claude(server) as client:
        batch = client.messages.batches.create(requests=[entry(i, rules=LONG) for i in idents])
        assert batch.processing_status == "in_progress"
        assert batch.request_counts.processing == 20
        batch, waits = ended(client, batch.id)
        assert waits == 2
        assert batch.request_counts.succeeded == 20
        rows = list(client.messages.batches.results(batch.id))
        assert [found.id for found in client.messages.batches.list()] == [batch.id]
    assert sorted(row.custom_id for row in rows) == sorted(idents)
    assert [row.custom_id for row in rows] != idents
    usages = [row.result.message.usage for row in rows]
    assert {usage.service_tier for usage in usages} == {"batch"}
    assert sum(usage.cache_creation_input_tokens > 0 for usage in usages) == 1
    assert server.spent == server.spent_in_batches
    assert server.spent["output"] == sum(usage.output_tokens for usage in usages)
    assert rows[0].result.message.content[0].input == Steady()(SNAPSHOT, TOOL)
    assert not server.malformed


def test_a_batch_lasts_as_long_as_it_was_told(server):
    now = 1000.0
    server.clock = lambda: now
    server.batch_polls, server.batch_delay = 0, 60.0
    with claude(server) as client:
        batch = client.messages.batches.create(requests=[entry("one")])
        assert client.messages.batches.retrieve(batch.id).processing_status == "in_progress"
        now += 60.0
        assert client.messages.batches.retrieve(batch.id).processing_status == "ended"


def test_entries_of_a_batch_fail_each_in_its_own_way(server):
    server.faults = Script([None, "overloaded", "timeout", "no_call"])
    names = ("well", "busy", "late", "talks")
    entries = [entry(name) for name in names] + [entry("bad", max_tokens=0)]
    with claude(server) as client:
        batch, _ = ended(client, client.messages.batches.create(requests=entries).id)
        found = results(client, batch.id)
    assert found["well"].message.stop_reason == "tool_use"
    assert found["busy"].error.error.type == "overloaded_error"
    assert found["late"].type == "expired"
    assert found["talks"].message.stop_reason == "end_turn"
    assert found["bad"].error.error.type == "invalid_request_error"
    counts = batch.request_counts
    assert (counts.succeeded, counts.errored, counts.expired) == (2, 2, 1)
    assert ["max_tokens" in found.reason for found in server.malformed] == [True]


def test_a_cancelled_batch_keeps_what_was_done(server):
    server.batch_polls, server.batch_done_at_cancel = 5, 1
    with claude(server) as client:
        batch = client.messages.batches.create(requests=[entry("a"), entry("b"), entry("c")])
        assert client.messages.batches.cancel(batch.id).processing_status == "canceling"
        ended(client, batch.id)
        found = results(client, batch.id)
    assert [found[name].type for name in "abc"] == ["succeeded", "canceled", "canceled"]


@pytest.mark.parametrize("idents", [["a b"], ["x" * 65], [""], ["same", "same"], []])
def test_a_batch_with_bad_names_is_refused(server, idents):
    with claude(server) as client, pytest.raises(anthropic.BadRequestError):
        client.messages.batches.create(requests=[entry(ident) for ident in idents])


def test_the_batches_api_has_faults_of_its_own(server):
    server.batch_faults = Script({1: "unavailable", 3: "cut_body", 4: "rate_limit"})
    with claude(server, max_retries=1) as client:
        batch = client.messages.batches.create(requests=[entry("a")])
        with pytest.raises(anthropic.RateLimitError):
            client.with_options(max_retries=1).messages.batches.retrieve(batch.id)
        ended(client, batch.id)
        assert results(client, batch.id)["a"].type == "succeeded"


def test_batches_that_are_not_there_are_not_found(server):
    with claude(server) as client, pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve("msgbatch_none")


# Chat completions

FUNCTION = {"name": "act", "description": "Acts.", "strict": True, "parameters": SCHEMA}
NOW = "Now:\n" + json.dumps(SNAPSHOT)


def chatted(server, content=NOW, options=None, **changes):
    settings = {"api_key": server.key, "base_url": f"{server.url}/v1", "max_retries": 0}
    plain = openai.DefaultHttpxClient(verify=False)
    with openai.OpenAI(http_client=plain, **settings | (options or {})) as client:
        return client.chat.completions.create(
            **{
                "model": "local-model",
                "messages": [
                    {"role": "system", "content": LONG},
                    {"role": "user", "content": content},
                ],
                "tools": [{"type": "function", "function": FUNCTION}],
                "tool_choice": {"type": "function", "function": {"name": "act"}},
            }
            | changes
        )


@pytest.mark.parametrize(
    "content", [NOW, f"Earlier:\n{{}}\n\n{NOW}", [text("Earlier:\n{}"), text(NOW)]]
)
def test_chat_calls_the_same_tool(server, content):
    reply = chatted(server, content)
    (call,) = reply.choices[0].message.tool_calls
    assert reply.choices[0].finish_reason == "tool_calls"
    assert json.loads(call.function.arguments) == Steady()(SNAPSHOT, TOOL)
    assert not server.malformed


def test_chat_finds_prompts_in_its_cache_unasked(server):
    first, second = chatted(server).usage, chatted(server).usage
    assert first.prompt_tokens_details.cached_tokens == 0
    assert 1024 <= second.prompt_tokens_details.cached_tokens <= second.prompt_tokens
    assert first.total_tokens == first.prompt_tokens + first.completion_tokens
    spent = server.spent
    assert spent["input"] + spent["cache_read"] == 2 * first.prompt_tokens


def test_chat_lists_its_models(server):
    with openai.OpenAI(api_key=server.key, base_url=f"{server.url}/v1") as client:
        assert "local-model" in [model.id for model in client.models.list()]
    with claude(server) as client:
        assert MODEL in [model.id for model in client.models.list()]


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("fault", RETRYABLE)
def test_chat_has_the_same_errors(server, fault):
    patience = 0.3 if fault == "timeout" else 10.0
    server.faults = Script([fault])
    with pytest.raises(openai.APIError) as seen:
        chatted(server, options={"timeout": patience})
    assert isinstance(seen.value, getattr(openai, SEEN_AS[fault].__name__))
    server.faults = Script({2: fault})
    assert chatted(server, options={"max_retries": 1, "timeout": patience}).choices


@pytest.mark.parametrize("fault", FATAL)
def test_chat_has_the_same_fatal_errors(server, fault):
    server.faults = Script([fault])
    with pytest.raises(openai.APIStatusError) as seen:
        chatted(server)
    assert seen.value.status_code in (401, 402, 403, 404)


def test_chat_replies_can_be_unusable_too(server):
    server.faults = Script(["no_call", "not_an_object", "two_calls", "max_tokens", "refusal"])
    silent, listed, twice, halved, refused = (chatted(server).choices[0] for _ in range(5))
    assert silent.message.tool_calls is None
    assert silent.message.content
    assert isinstance(json.loads(listed.message.tool_calls[0].function.arguments), list)
    assert len(twice.message.tool_calls) == 2
    assert halved.finish_reason == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(halved.message.tool_calls[0].function.arguments)
    assert refused.message.refusal


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"content": "Hello"}, "Now:"),
        ({"tool_choice": {"type": "function", "function": {"name": "dance"}}}, "not found"),
        (
            {
                "tools": [
                    {
                        "type": "function",
                        "function": FUNCTION | {"parameters": SCHEMA | {"required": []}},
                    }
                ]
            },
            "'required'",
        ),
        ({"extra_body": {"thoughts": 1}}, "Unrecognized request argument"),
    ],
)
def test_chat_refuses_malformed_requests(server, changes, reason):
    with pytest.raises(openai.BadRequestError, match=reason):
        chatted(server, **changes)
    assert len(server.malformed) == 1


def test_chat_refuses_a_wrong_key(server):
    with pytest.raises(openai.AuthenticationError):
        chatted(server, options={"api_key": "stolen"})
