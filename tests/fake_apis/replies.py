"""`Reply`: what a model would say, before either API writes it in its own form."""

import copy
from dataclasses import dataclass, field
from typing import Any

CALLED, SPOKE, CUT, REFUSED = "called", "spoke", "cut", "refused"

_THOUGHT = "The nearest enemy is the danger. I keep my distance, aim at it and watch the shots."


@dataclass
class Reply:
    """Calls of tools as (name, input), and text; `thought` is None where it did not think."""

    ending: str = CALLED
    calls: list[tuple[str, Any]] = field(default_factory=list)
    text: str = ""
    thought: str | None = None


def make_reply(policy, snapshot, tool, *, fault=None, thinks=False):
    """What the policy says to a snapshot, spoilt by a fault where there is one."""
    thought = _THOUGHT if thinks else None
    if tool is None or fault == "no_call":
        return Reply(SPOKE, text="I would rather talk about it first.", thought=thought)
    if fault == "refusal":
        return Reply(REFUSED)
    call = policy(snapshot, tool)
    name = "act_now" if fault == "wrong_tool" else tool["name"]
    calls = [(name, _spoilt(call, fault))]
    if fault == "two_calls":
        calls.append((name, {"plan": [*call["plan"], *call["plan"]]}))
    reply = Reply(CALLED, calls, thought=thought)
    return cut(reply) if fault == "max_tokens" else reply


def cut(reply):
    """As if the tokens had run out in the middle of the last call."""
    if not reply.calls:
        return Reply(CUT, text=reply.text[: len(reply.text) // 2], thought=reply.thought)
    name, call = reply.calls[-1]
    return Reply(CUT, [(name, _half(call))], thought=reply.thought)


def _half(call):
    """The half of a call that had been written: its last item stands open."""
    if not isinstance(call, dict) or not call.get("plan"):
        return {}
    *whole, last = call["plan"]
    return {"plan": [*whole, dict(list(last.items())[: len(last) // 2])]}


def _spoilt(call, fault):
    call = copy.deepcopy(call)
    if fault not in _SPOILERS:
        return call
    return _SPOILERS[fault](call)


def _with_first(**changes):
    def spoil(call):
        call["plan"][0].update(changes)
        return call

    return spoil


def _without_aim(call):
    del call["plan"][0]["aim"]
    return call


_SPOILERS = {
    "wrong_types": _with_first(move="left", dash="yes", hold="long"),
    "missing_keys": _without_aim,
    "zero_hold": _with_first(hold=0),
    "huge_hold": _with_first(hold=10**6),
    "nan_strings": _with_first(move={"x": "NaN", "z": "Infinity"}),
    "empty_plan": lambda call: {"plan": []},
    "unknown_keys": lambda call: {**_with_first(fire=True)(call), "why": "because"},
    "not_an_object": lambda call: [call],
}
