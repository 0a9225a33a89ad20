"""The chat completions API: what a request asks, and a reply in its form."""

import json
from dataclasses import replace

from tests.fake_apis import schemas
from tests.fake_apis.cache import prefixes
from tests.fake_apis.errors import Refusal, chat_error
from tests.fake_apis.messages import snapshot_in
from tests.fake_apis.replies import CALLED, CUT, REFUSED, SPOKE, cut, make_reply
from tests.fake_apis.tokens import tokens_in

PATH = "/v1/chat/completions"

_KEYS = {
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "seed",
    "reasoning_effort",
    "user",
    "metadata",
    "store",
    "service_tier",
    "prompt_cache_key",
    "n",
    "stream",
    "stream_options",
}
_FINISHES = {CALLED: "tool_calls", SPOKE: "stop", CUT: "length", REFUSED: "stop"}
_CACHE_STEP = 128  # tokens: what is found in the cache is a multiple of it

error = chat_error


def check(params, known):
    """Raises `Refusal` unless the API would accept it for one of the `known` models."""
    if not isinstance(params, dict):
        raise Refusal("We could not parse the JSON body of your request.")
    for key in ("model", "messages"):
        if key not in params:
            raise Refusal(f"Missing required parameter: '{key}'.")
    if extra := params.keys() - _KEYS:
        raise Refusal(f"Unrecognized request argument supplied: {min(extra)}")
    if params["model"] not in known:
        raise Refusal(f"The model `{params['model']}` does not exist.", status=404)
    for key in ("max_tokens", "max_completion_tokens"):
        if key in params and (not isinstance(params[key], int) or params[key] < 1):
            raise Refusal(f"Invalid '{key}': expected an integer of at least 1.")
    _check_messages(params["messages"])
    _check_tools(params)


def _check_messages(messages):
    if not isinstance(messages, list) or not messages:
        raise Refusal("Invalid 'messages': expected an array of at least one.")
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise Refusal(f"Invalid 'messages[{index}]': expected an object.")
        if message.get("role") not in ("system", "developer", "user", "assistant"):
            raise Refusal(f"Invalid value for 'messages[{index}].role': {message.get('role')!r}.")
        for part in _parts(message):
            if part.get("type") != "text" or not isinstance(part.get("text"), str):
                raise Refusal(f"Invalid 'messages[{index}].content': expected text parts.")
    if messages[-1]["role"] != "user":
        raise Refusal("fake: the last message must be the user's")


def _check_tools(params):
    names = []
    for index, tool in enumerate(params.get("tools", ())):
        function = tool.get("function")
        if tool.get("type") != "function" or not isinstance(function, dict):
            raise Refusal(f"Invalid 'tools[{index}]': expected a function.")
        if not isinstance(function.get("name"), str):
            raise Refusal(f"Missing required parameter: 'tools[{index}].function.name'.")
        if function.get("strict"):
            _check_strict(function)
        names.append(function["name"])
    choice = params.get("tool_choice", "auto")
    if isinstance(choice, dict):
        if choice.get("type") != "function" or choice["function"].get("name") not in names:
            raise Refusal("Tool choice not found in 'tools' parameter.")
    elif choice not in ("auto", "none", "required"):
        raise Refusal(f"Invalid value for 'tool_choice': {choice!r}.")


def _check_strict(function):
    schema = function.get("parameters", {})
    fault = schemas.fault_in(schema) or schemas.optional_in(schema)
    if fault:
        raise Refusal(f"Invalid schema for function '{function['name']}': {fault}")


def _parts(message):
    content = message.get("content", "")
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def blocks(params):
    """Every block is kept, without being asked."""
    parts = [("tools", params.get("tools", []))]
    parts += [(message["role"], _parts(message)) for message in params["messages"]]
    return [replace(block, ttl="5m") for block in prefixes(params["model"], parts)]


def reply_to(params, policy, fault):
    """What the model says."""
    tool = _asked_tool(params)
    texts = [part["text"] for part in _parts(params["messages"][-1])]
    reply = make_reply(policy, snapshot_in(texts) if tool else None, tool, fault=fault)
    most = params.get("max_completion_tokens", params.get("max_tokens", 10**6))
    return cut(reply) if tokens_in(_message(reply, 0)) > most else reply


def _asked_tool(params):
    choice = params.get("tool_choice", "auto")
    if not params.get("tools") or choice == "none":
        return None
    name = choice["function"]["name"] if isinstance(choice, dict) else None
    functions = [tool["function"] for tool in params["tools"]]
    return next(function for function in functions if name in (None, function["name"]))


def written(params, reply, use, number, tier="default"):
    """The reply as a `ChatCompletion`."""
    cached = use.read // _CACHE_STEP * _CACHE_STEP
    message = _message(reply, number)
    output = tokens_in(message)
    choice = {"index": 0, "message": message, "logprobs": None}
    return {
        "id": f"chatcmpl-fake{number:06d}",
        "object": "chat.completion",
        "created": 1_700_000_000 + number,
        "model": params["model"],
        "choices": [choice | {"finish_reason": _FINISHES[reply.ending]}],
        "service_tier": tier,
        "usage": {
            "prompt_tokens": use.total,
            "completion_tokens": output,
            "total_tokens": use.total + output,
            "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


def costs(usage):
    """A `usage` in few words, to be added up."""
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    return {
        "replies": 1,
        "input": usage["prompt_tokens"] - cached,
        "cache_read": cached,
        "output": usage["completion_tokens"],
    }


def _message(reply, number):
    refused = "I can't help with that." if reply.ending == REFUSED else None
    message = {"role": "assistant", "content": reply.text or None, "refusal": refused}
    if reply.calls:
        message["tool_calls"] = [
            _call(name, call, f"call_fake{number:06d}{index}", reply.ending == CUT)
            for index, (name, call) in enumerate(reply.calls)
        ]
    return message


def _call(name, call, ident, is_cut):
    arguments = json.dumps(call)
    # Arguments are text here, so that text breaks off in the middle.
    function = {"name": name, "arguments": arguments[:-2] if is_cut else arguments}
    return {"id": ident, "type": "function", "function": function}
