"""Dialects: OpenAI-compatible servers as they really are, as their users report them.

`DIALECTS` are ways to write a reply, `LACKS` parts of a question that a server refuses, each in
the words of one that does.
"""

import copy
import json

from tests.fake_apis.http import Answer, answer_json


def _message(completion):
    return completion["choices"][0]["message"]


def _text(write):
    """A dialect whose call stands in the text: `write` is given its name and its input in JSON."""

    def spoken(completion):
        message = _message(completion)
        (call,) = message.pop("tool_calls")
        function = call["function"]
        message["content"] = write(function["name"], function["arguments"])
        completion["choices"][0]["finish_reason"] = "stop"

    return spoken


def _function(change):
    """A dialect that writes a call's function otherwise."""

    def changed(completion):
        for call in _message(completion)["tool_calls"]:
            change(call["function"])

    return changed


def _with(**fields):
    def changed(completion):
        _message(completion).update(fields)

    return changed


def _usage(**fields):
    return lambda completion: completion.update(usage=fields or None)


def _parts(completion):
    message = _message(completion)
    (call,) = message.pop("tool_calls")
    message["content"] = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
        {"type": "text", "text": call["function"]["arguments"]},
    ]


def _legacy(completion):
    (call,) = _message(completion).pop("tool_calls")
    _message(completion)["function_call"] = call["function"]


def _numbers(completion):
    completion.update(id=7, model=3)
    for call in _message(completion)["tool_calls"]:
        call["id"] = 1


def _twice(completion):
    calls = _message(completion)["tool_calls"]
    calls.append(copy.deepcopy(calls[0]) | {"id": "another"})


def _bare(completion):
    message = _message(completion)
    message["tool_calls"] = [call["function"] for call in message["tool_calls"]]


def _as_words(function):
    plan = json.loads(function["arguments"])["plan"]
    for move in plan:
        move["hold"] = f"{move['hold']}.0"
        move["dash"] = str(move.get("dash", False))
        for stick in ("move", "aim"):
            move[stick] = {key: str(value) for key, value in move.get(stick, {}).items()}
    function["arguments"] = json.dumps({"plan": json.dumps(plan)})


def _in_xml(name, arguments):
    plan = json.dumps(json.loads(arguments)["plan"])
    return (
        f"<tool_call>\n<function={name}>\n<parameter=plan>\n{plan}\n</parameter>\n"
        "</function>\n</tool_call>"
    )


def _call(name, arguments, held="arguments"):
    return f'{{"name": "{name}", "{held}": {arguments}}}'


def _part(kind, held):
    """A dialect whose call is one of the parts of what is said."""

    def changed(completion):
        message = _message(completion)
        (call,) = message.pop("tool_calls")
        function = call["function"]
        part = {"type": kind, "name": function["name"], held: function["arguments"]}
        message["content"] = [{"type": "text", "text": "ok"}, part]

    return changed


def _in_thoughts(completion):
    message = _message(completion)
    (call,) = message.pop("tool_calls")
    message["content"], message["reasoning_content"] = "", call["function"]["arguments"]


def _calls(change):
    def changed(completion):
        message = _message(completion)
        message["tool_calls"] = change(message["tool_calls"])

    return changed


def _again(**function):
    """A dialect whose second call says the same in other words."""
    return _calls(lambda calls: [*calls, {"function": {**calls[0]["function"], **function}}])


def _in_words(call):
    return call.replace('"hold": 6', '"hold": "6"')


def _python(arguments):
    return str(json.loads(arguments))


def _as_python_call(name, arguments):
    return f"{name}(plan={json.loads(arguments)['plan']})"


def _glm(name, arguments):
    plan = json.dumps(json.loads(arguments)["plan"])
    return (
        f"<tool_call>{name}\n<arg_key>plan</arg_key>\n<arg_value>{plan}</arg_value>\n</tool_call>"
    )


def _invoke(name, arguments):
    plan = json.dumps(json.loads(arguments)["plan"])
    return (
        f'<function_calls>\n<invoke name="{name}">\n<parameter name="plan">{plan}</parameter>\n'
        "</invoke>\n</function_calls>"
    )


def _considered(before, after):
    """A dialect that thinks of another call, between marks, before it says one."""

    def spoken(_, call):
        return before + call.replace('"hold": 6', '"hold": 1') + after + call

    return _text(spoken)


def _rewritten(write):
    return _function(lambda one: one.update(arguments=write(one["arguments"])))


def _renamed(form):
    return _function(lambda one: one.update(name=form.format(one["name"])))


DIALECTS = {
    "content_in_parts": _parts,
    "content_in_an_object": _with(content={"type": "text", "text": "ok"}),
    "reasoning_in_a_list": _with(reasoning=[{"type": "reasoning.text", "text": "Hm."}]),
    "reasoning_in_an_object": _with(reasoning={"text": "Hm."}),
    "numbers_for_names": _numbers,
    "legacy_function_call": _legacy,
    "bare_functions": _bare,
    "two_equal_calls": _twice,
    "arguments_in_an_object": _function(
        lambda one: one.update(arguments=json.loads(one["arguments"]))
    ),
    "arguments_encoded_twice": _function(
        lambda one: one.update(arguments=json.dumps(one["arguments"]))
    ),
    "name_with_its_place": _function(lambda one: one.update(name=f"functions.{one['name']}")),
    "values_as_words": _function(_as_words),
    "usage_null": _usage(),
    "usage_of_nulls": _usage(prompt_tokens=None, completion_tokens=None),
    "usage_in_fractions": _usage(prompt_tokens=10.5, completion_tokens=5.0),
    "usage_below_nothing": _usage(prompt_tokens=-1, completion_tokens=-1),
    "usage_as_words": _usage(prompt_tokens="10", completion_tokens="many"),
    "after_thoughts": _text(lambda _, call: f"<think>{{left?}} No.</think>\n{call}"),
    "after_half_a_thought": _text(lambda _, call: f"Right {{so}}.\n</think>\n{call}"),
    "fenced_with_prose": _text(lambda _, call: f"Here is my move:\n```json\n{call}\n```\nDone."),
    "hermes": _text(lambda name, call: f"<tool_call>\n{_call(name, call)}\n</tool_call>"),
    "mistral": _text(lambda name, call: f"[TOOL_CALLS][{_call(name, call)}]"),
    "mistral_new": _text(lambda name, call: f"[TOOL_CALLS]{name}[ARGS]{call}"),
    "llama": _text(lambda name, call: f"<|python_tag|>{_call(name, call, 'parameters')}"),
    "llama_tags": _text(lambda name, call: f"<function={name}>{call}</function>"),
    "qwen_coder": _text(_in_xml),
    "harmony": _text(
        lambda name, call: f"<|channel|>commentary to=functions.{name}<|message|>{call}<|call|>"
    ),
    "call_as_a_part": _part("tool_use", "input"),
    "function_call_as_a_part": _part("function_call", "arguments"),
    "all_taken_for_thought": _in_thoughts,
    "calls_in_a_string": _calls(json.dumps),
    "call_with_parameters": _calls(
        lambda calls: [
            {"name": call["function"]["name"], "parameters": call["function"]["arguments"]}
            for call in calls
        ]
    ),
    "an_empty_call_first": _calls(
        lambda calls: [{"function": {**calls[0]["function"], "arguments": ""}}, *calls]
    ),
    "equal_calls_by_two_names": _again(name="functions.act"),
    "equal_calls_in_words": _calls(
        lambda calls: [
            *calls,
            {
                "function": {
                    "name": "act",
                    "arguments": _in_words(calls[0]["function"]["arguments"]),
                }
            },
        ]
    ),
    "arguments_fenced": _rewritten(lambda call: f"```json\n{call}\n```"),
    "arguments_with_a_tail": _rewritten(lambda call: f"{call}</tool_call>"),
    "arguments_said_twice": _rewritten(lambda call: call * 2),
    "arguments_in_arguments": _rewritten(lambda call: f'{{"arguments": {call}}}'),
    "arguments_in_a_list": _rewritten(lambda call: f"[{call}]"),
    "arguments_in_python": _rewritten(_python),
    "arguments_of_encoded_moves": _rewritten(
        lambda call: json.dumps({"plan": [json.dumps(move) for move in json.loads(call)["plan"]]})
    ),
    "plan_of_one_move": _rewritten(lambda call: json.dumps({"plan": json.loads(call)["plan"][0]})),
    "name_in_capitals": _function(lambda one: one.update(name=one["name"].upper())),
    "name_with_a_mark": _renamed("{}<|channel|>commentary"),
    "name_with_a_number": _renamed("functions.{}:0"),
    "usage_beyond_numbers": _usage(prompt_tokens=10**400, completion_tokens=5),
    "usage_by_other_names": _usage(input_tokens=10, output_tokens=5),
    "glm": _text(_glm),
    "invoke": _text(_invoke),
    "python_call": _text(lambda name, call: f"[{_as_python_call(name, call)}]"),
    "python_code": _text(
        lambda name, call: f"```tool_code\nprint(api.{_as_python_call(name, call)})\n```"
    ),
    "python_quotes": _text(lambda _, call: _python(call)),
    "a_comma_too_many": _text(lambda _, call: call[:-1] + ",}"),
    "tool_calls_written": _text(lambda name, call: f'{{"tool_calls": [{_call(name, call)}]}}'),
    "function_call_written": _text(lambda name, call: f'{{"function_call": {_call(name, call)}}}'),
    "by_its_name": _text(lambda name, call: f'{{"{name}": {call}}}'),
    "react": _text(lambda name, call: f'{{"action": "{name}", "action_input": {call}}}'),
    "magistral": _considered("[THINK]", "[/THINK]"),
    "thoughts_of_kimi": _considered("◁think▷", "◁/think▷"),
    "thoughts_of_seed": _considered("<seed:think>", "</seed:think>"),
    "thoughts_with_a_kind": _considered('<think kind="deep">', "</think>"),
    "thoughts_between_marks": _considered("<|begin_of_thought|>", "<|end_of_thought|>"),
    "reflection": _considered("<reflection>", "</reflection>"),
    "harmony_analysis": _considered(
        "<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"
    ),
}

# name: whether a request has what the server refuses, the status, and the body that says so.
LACKS = {
    "tool_choice": (
        lambda one: isinstance(one.get("tool_choice"), dict),
        400,
        {"error": "Invalid tool_choice type: 'object'. Supported string values: none, auto"},
    ),
    "tool_choice_required": (
        lambda one: "tool_choice" in one,
        400,
        {"error": {"message": "This model does not support this tool_choice", "code": 400}},
    ),
    "strict": (
        lambda one: any("strict" in tool["function"] for tool in one.get("tools", ())),
        422,
        {"detail": [{"loc": ["body", "tools", 0, "function", "strict"], "msg": "Extra inputs"}]},
    ),
    "tools_as_a_parameter": (
        lambda one: "tools" in one,
        400,
        {"error": {"message": "Unsupported parameter.", "param": "tools"}},
    ),
    "strict_in_a_list": (
        lambda one: any("strict" in tool["function"] for tool in one.get("tools", ())),
        400,
        {"errors": [{"message": "strict: unknown field"}]},
    ),
    "strict_without_a_word": (
        lambda one: any("strict" in tool["function"] for tool in one.get("tools", ())),
        400,
        {"error": {"message": "Bad request"}},
    ),
    "least_items": (
        lambda one: "minItems" in json.dumps(one.get("tools", ())),
        400,
        {"error": {"message": "Invalid schema for function 'act': 'minItems' is not permitted."}},
    ),
    "max_tokens": (
        lambda one: "max_tokens" in one,
        400,
        {"error": {"message": "Unsupported parameter: 'max_tokens'.", "param": "max_tokens"}},
    ),
    "any_length": (
        lambda one: "max_tokens" in one or "max_completion_tokens" in one,
        400,
        {"message": "unknown field max_tokens or max_completion_tokens", "object": "error"},
    ),
    "tools": (
        lambda one: "tools" in one,
        400,
        [{"error": {"message": "registry/gemma:2b does not support tools", "code": 400}}],
    ),
    "tools_said_inside": (
        lambda one: "tools" in one,
        200,
        {"error": {"message": "No endpoints found that support tool use", "code": 404}},
    ),
    "system": (
        lambda one: one["messages"][0]["role"] == "system",
        400,
        {"detail": "System role not supported"},
    ),
    "whole_answers": (
        lambda one: not one.get("stream"),
        400,
        "This model only supports streaming: set stream to true",
    ),
}


def refused(params, lacks):
    """The refusal of the first thing that a server lacks; None if it has all that is asked."""
    for name in lacks:
        asks, status, body = LACKS[name]
        if asks(params):
            return answer_json(body, status)
    return None


def written_in(dialect, completion):
    """A completion as a server of that dialect writes it."""
    if dialect is not None:
        DIALECTS[dialect](completion)
    return completion


def streamed(completion):
    """A completion in pieces, as server-sent events."""
    choice = completion["choices"][0]
    message, finish = choice["message"], choice["finish_reason"]
    deltas = [{"role": "assistant", "content": ""}]
    if message.get("content"):
        deltas += [{"content": letter} for letter in message["content"]]
    for number, call in enumerate(message.get("tool_calls", ())):
        function = {"name": call["function"]["name"], "arguments": ""}
        deltas.append({"tool_calls": [{"index": number, "id": call["id"], "function": function}]})
        deltas += [
            {"tool_calls": [{"index": number, "function": {"arguments": letter}}]}
            for letter in call["function"]["arguments"]
        ]
    pieces = [{"choices": [{"delta": delta, "finish_reason": None}]} for delta in deltas]
    pieces += [{"choices": [{"delta": {}, "finish_reason": finish}]}]
    pieces += [{"choices": [], "usage": completion["usage"]}]
    about = {key: completion[key] for key in ("id", "model")}
    lines = [f"data: {json.dumps(about | piece)}\n\n" for piece in pieces]
    body = "".join([": keep-alive\n\n", *lines, "data: [DONE]\n\n"])
    return Answer(200, body.encode(), {"content-type": "text/event-stream"})
