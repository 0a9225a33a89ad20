"""The Messages API: what a request asks, and a reply in its form."""

from tests.fake_apis import models
from tests.fake_apis.cache import message_blocks, usage_of
from tests.fake_apis.errors import Refusal, claude_error
from tests.fake_apis.policy import read_snapshot
from tests.fake_apis.replies import CALLED, CUT, REFUSED, SPOKE, cut, make_reply
from tests.fake_apis.tokens import tokens_in
from tests.fake_apis.validation import check_message

PATH = "/v1/messages"

_STOPS = {CALLED: "tool_use", SPOKE: "end_turn", CUT: "max_tokens", REFUSED: "refusal"}
_SIGNATURE = "ZmFrZSBzaWduYXR1cmU="

check = check_message
blocks = message_blocks
error = claude_error


def asked_tool(params):
    """The tool that is to be called; None where there is none to call."""
    if not params.get("tools") or params.get("tool_choice", {}).get("type") == "none":
        return None
    name = params.get("tool_choice", {}).get("name")
    return next(tool for tool in params["tools"] if name in (None, tool["name"]))


def asked_snapshot(params):
    """What is to be answered; a tool without a snapshot is no question of ours."""
    content = params["messages"][-1]["content"]
    return snapshot_in([content] if isinstance(content, str) else [b["text"] for b in content])


def snapshot_in(texts):
    try:
        snapshot = read_snapshot(texts)
    except ValueError as reason:
        raise Refusal(f"fake: no JSON after 'Now:': {reason}") from None
    if snapshot is None:
        raise Refusal("fake: no text of the last message has a line 'Now:'")
    return snapshot


def reply_to(params, policy, fault):
    """What the model says."""
    tool = asked_tool(params)
    snapshot = asked_snapshot(params) if tool else None
    reply = make_reply(policy, snapshot, tool, fault=fault, thinks=models.thinks(params))
    return cut(reply) if sum(_lengths(params, reply)) > params["max_tokens"] else reply


def written(params, reply, use, number, tier="standard"):
    """The reply as a `Message`."""
    content = _content(params, reply, f"{number:06d}")
    details = {"type": "refusal", "category": None, "explanation": "The fake would not say it."}
    return {
        "id": f"msg_fake{number:06d}",
        "type": "message",
        "role": "assistant",
        "model": params["model"],
        "content": content,
        "stop_reason": _STOPS[reply.ending],
        "stop_sequence": None,
        "stop_details": details if reply.ending == REFUSED else None,
        "usage": usage_of(use, *_lengths(params, reply), tier),
    }


def costs(usage):
    """A `usage` in few words, to be added up."""
    return {
        "replies": 1,
        "input": usage["input_tokens"],
        "cache_write_5m": usage["cache_creation"]["ephemeral_5m_input_tokens"],
        "cache_write_1h": usage["cache_creation"]["ephemeral_1h_input_tokens"],
        "cache_read": usage["cache_read_input_tokens"],
        "output": usage["output_tokens"],
    }


def _lengths(params, reply):
    """Tokens of the thoughts, whether or not they are shown, and of the rest."""
    said = [block for block in _content(params, reply, "") if block["type"] != "thinking"]
    return tokens_in(reply.thought) if reply.thought else 0, tokens_in(said)


def _content(params, reply, ident):
    content = []
    if reply.thought is not None:
        content.append(_thoughts(params, reply.thought))
    if reply.text:
        content.append({"type": "text", "text": reply.text})
    for index, (name, call) in enumerate(reply.calls):
        ident_of_call = f"toolu_fake{ident}{index}"
        content.append({"type": "tool_use", "id": ident_of_call, "name": name, "input": call})
    return content


def _thoughts(params, thought):
    display = (params.get("thinking") or {}).get("display")
    shown = (display or models.MODELS[params["model"]].display) == "summarized"
    return {"type": "thinking", "thinking": thought if shown else "", "signature": _SIGNATURE}
