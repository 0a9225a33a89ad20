"""Whether a request would be accepted by the Messages API, and in its words why not."""

import re

from tests.fake_apis import schemas
from tests.fake_apis.errors import Refusal
from tests.fake_apis.models import MODELS

_REQUIRED = ("model", "messages", "max_tokens")
_OPTIONAL = {
    "system": (str, list),
    "tools": list,
    "tool_choice": dict,
    "thinking": dict,
    "output_config": dict,
    "metadata": dict,
    "stop_sequences": list,
    "temperature": (int, float),
    "top_p": (int, float),
    "top_k": int,
    "service_tier": str,
    "stream": bool,
    "cache_control": dict,
}
_MOST_BREAKPOINTS = 4
_LEAST_BUDGET = 1024
_TOOL_KEYS = {"type", "name", "description", "input_schema", "strict", "cache_control"}


def check_message(params, known):
    """Raises `Refusal` unless the API would accept it for one of the `known` models."""
    check_prompt(params, known)
    _need(params, "max_tokens")
    tokens = params["max_tokens"]
    if not _is_int(tokens) or tokens < 1:
        raise Refusal("max_tokens: Input should be an integer greater than or equal to 1")
    if params.get("stream"):
        raise Refusal("stream: this fake does not stream")
    _check_sampling(params, MODELS[params["model"]])
    _check_thinking(params, MODELS[params["model"]])
    _check_effort(params, MODELS[params["model"]])


def check_prompt(params, known):
    """As `check_message`, for what counts as a prompt: the model, tools, system and messages."""
    if not isinstance(params, dict):
        raise Refusal("Input should be a valid dictionary or object")
    for key in params:
        if key not in _OPTIONAL and key not in _REQUIRED:
            raise Refusal(f"{key}: Extra inputs are not permitted")
    for key, kind in _OPTIONAL.items():
        if key in params and not isinstance(params[key], kind):
            raise Refusal(f"{key}: Input has the wrong type, found {params[key]!r}")
    _check_model(params, known)
    _check_system(params.get("system", ""))
    _check_tools(params)
    _check_messages(params)
    _check_breakpoints(params)


def _need(params, key):
    if key not in params:
        raise Refusal(f"{key}: Field required")


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _check_model(params, known):
    _need(params, "model")
    if not isinstance(params["model"], str):
        raise Refusal("model: Input should be a valid string")
    if params["model"] not in known:
        raise Refusal(f"model: {params['model']}", status=404)


def _check_system(system):
    if isinstance(system, list):
        for index, block in enumerate(system):
            _check_text(block, f"system.{index}")


def _check_text(block, where):
    if not isinstance(block, dict) or block.get("type") != "text":
        raise Refusal(f"{where}: Input should be a text block, found {block!r}")
    if extra := block.keys() - {"type", "text", "cache_control", "citations"}:
        raise Refusal(f"{where}.{min(extra)}: Extra inputs are not permitted")
    if not isinstance(block.get("text"), str):
        raise Refusal(f"{where}.text: Input should be a valid string")
    if not block["text"].strip():
        raise Refusal(f"{where}.text: text content blocks must contain non-whitespace text")


def _check_tools(params):
    names = []
    for index, tool in enumerate(params.get("tools", ())):
        _check_tool(tool, f"tools.{index}")
        names.append(tool["name"])
    if len(set(names)) < len(names):
        raise Refusal("tools: Tool names must be unique.")
    _check_choice(params.get("tool_choice"), names)


def _check_tool(tool, where):
    if not isinstance(tool, dict) or tool.get("type", "custom") != "custom":
        raise Refusal(f"{where}: Input should be a custom tool")
    if extra := tool.keys() - _TOOL_KEYS:
        raise Refusal(f"{where}.{min(extra)}: Extra inputs are not permitted")
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", str(tool.get("name", ""))):
        raise Refusal(f"{where}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    schema = tool.get("input_schema")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise Refusal(f"{where}.input_schema.type: Input should be 'object'")
    if tool.get("strict") and (fault := schemas.fault_in(schema)):
        raise Refusal(f"{where}.custom: {fault}")


def _check_choice(choice, names):
    if choice is None:
        return
    keys = {
        "auto": {"type", "disable_parallel_tool_use"},
        "any": {"type", "disable_parallel_tool_use"},
        "tool": {"type", "name", "disable_parallel_tool_use"},
        "none": {"type"},
    }
    kind = choice.get("type")
    if kind not in keys:
        raise Refusal(f"tool_choice: Input tag {kind!r} does not match any of the expected tags")
    if extra := choice.keys() - keys[kind]:
        raise Refusal(f"tool_choice.{min(extra)}: Extra inputs are not permitted")
    if not names:
        raise Refusal("tool_choice may only be specified while providing tools.")
    if kind == "tool" and choice.get("name") not in names:
        raise Refusal(f"Tool {choice.get('name')!r} not found in provided tools")


def _check_messages(params):
    _need(params, "messages")
    messages = params["messages"]
    if not isinstance(messages, list) or not messages:
        raise Refusal("messages: at least one message is required")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or message.keys() != {"role", "content"}:
            raise Refusal(f"messages.{index}: Input should have role and content")
        if message["role"] != ("user", "assistant")[index % 2]:
            raise Refusal(f"messages.{index}: roles must alternate, beginning with user")
        _check_content(message["content"], f"messages.{index}")


def _check_content(content, where):
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(blocks, list) or not blocks:
        raise Refusal(f"{where}: all messages must have non-empty content")
    for index, block in enumerate(blocks):
        _check_text(block, f"{where}.content.{index}")


def _check_breakpoints(params):
    marks = list(breakpoints(params))
    if len(marks) > _MOST_BREAKPOINTS:
        raise Refusal(
            f"A maximum of {_MOST_BREAKPOINTS} blocks with cache_control may be provided. "
            f"Found {len(marks)}."
        )
    shortest = False
    for mark in marks:
        fits = isinstance(mark, dict) and mark.keys() <= {"type", "ttl"}
        if not fits or mark.get("type") != "ephemeral" or mark.get("ttl", "5m") not in ("5m", "1h"):
            raise Refusal(f"cache_control: expected ephemeral with a ttl of 5m or 1h, got {mark!r}")
        if shortest and mark.get("ttl") == "1h":
            raise Refusal(
                "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block"
            )
        shortest = mark.get("ttl", "5m") == "5m"


def breakpoints(params):
    """Every `cache_control` of a request, in the order in which a prompt is read."""
    parts = [params.get("tools", []), params.get("system", [])]
    parts += [message["content"] for message in params["messages"]]
    for blocks in parts:
        if not isinstance(blocks, str):
            yield from (
                block["cache_control"] for block in blocks if block.get("cache_control") is not None
            )
    if "cache_control" in params:
        yield params["cache_control"]


def _check_sampling(params, model):
    for key in ("temperature", "top_p", "top_k"):
        if key in params and not model.sampling:
            raise Refusal(f"`{key}` is deprecated for this model.")
    if not 0 <= params.get("temperature", 1) <= 1:
        raise Refusal("temperature: range: 0..1")


def _check_thinking(params, model):
    thinking = params.get("thinking")
    forced = params.get("tool_choice", {}).get("type") in ("tool", "any")
    if forced and not model.forced:
        raise Refusal("tool_choice forces tool use, which is not supported for this model.")
    if thinking is None:
        return
    kind = thinking.get("type")
    if kind not in ("enabled", "adaptive", "disabled", "between_tools"):
        raise Refusal(f"thinking: Input tag {kind!r} does not match any of the expected tags")
    if kind not in model.thinking:
        raise Refusal(
            f'"thinking.type.{kind}" is not supported for this model. Use one of '
            f"{', '.join(model.thinking)}."
        )
    if forced and kind in ("enabled", "adaptive"):
        raise Refusal("Thinking may not be enabled when tool_choice forces tool use.")
    _check_thinking_keys(thinking, kind, params)


def _check_thinking_keys(thinking, kind, params):
    keys = {
        "enabled": {"type", "budget_tokens", "display"},
        "adaptive": {"type", "display"},
    }.get(kind, {"type"})
    if extra := thinking.keys() - keys:
        raise Refusal(f"thinking.{kind}.{min(extra)}: Extra inputs are not permitted")
    if thinking.get("display") not in (None, "summarized", "omitted"):
        raise Refusal("thinking.display: Input should be 'summarized' or 'omitted'")
    if kind != "enabled":
        return
    budget = thinking.get("budget_tokens")
    if not _is_int(budget) or budget < _LEAST_BUDGET:
        raise Refusal("thinking.enabled.budget_tokens: Input should be at least 1024")
    if budget >= params["max_tokens"]:
        raise Refusal("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if params.get("temperature", 1) != 1:
        raise Refusal("`temperature` may only be set to 1 when thinking is enabled.")


def _check_effort(params, model):
    config = params.get("output_config", {})
    if extra := config.keys() - {"effort"}:
        raise Refusal(f"output_config.{min(extra)}: this fake knows only effort")
    effort = config.get("effort")
    if effort is None:
        return
    if not model.efforts:
        raise Refusal("This model does not support the effort parameter.")
    if effort not in model.efforts:
        raise Refusal(f"output_config.effort: expected one of {', '.join(model.efforts)}")
    without = params.get("thinking", {}).get("type") in ("disabled", "between_tools")
    if model.thinks and without and effort in ("xhigh", "max"):
        raise Refusal(f"thinking cannot be turned off at effort {effort}.")
