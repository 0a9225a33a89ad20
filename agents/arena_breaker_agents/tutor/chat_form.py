"""`ChatForm`: the form in which a chat is asked, and what is left out of it for a server.

Servers that speak OpenAI's API leave out parts of it, each others, and say so only when they
are asked. What a refusal names is put more simply, or left out, and never tried again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from arena_breaker_agents.tutor.llm_client import Request, Tool

NAMED, REQUIRED = "named", "required"
OLD_LENGTH, NEW_LENGTH = "max_tokens", "max_completion_tokens"

# What a refusal may name, in the order in which it is looked for: of a longer name first.
_NAMES: Mapping[str, re.Pattern[str]] = {
    "usage": re.compile(r"stream_options|include_usage", re.I),
    "strict": re.compile(r"\bstrict\b|additional_?properties", re.I),
    "choices": re.compile(r"tool[ _-]?choice|parallel_tool|forced? (a )?(tool|function)", re.I),
    "lengths": re.compile(r"max[ _-]?(completion_|new_|output_)?tokens", re.I),
    "stream": re.compile(
        r"\bstream(ing)?\b.{0,40}(only|must|true|requir|support|enable)"
        r"|(only|must|requir|support|enable).{0,40}\bstream",
        re.I,
    ),
    "system": re.compile(
        r"\bsystem (role|message|prompt|instruction)|role.{0,30}\bsystem\b|['\"]system['\"]"
        r"|roles? must alternate|developer instruction",
        re.I,
    ),
    "tools": re.compile(r"\btools?\b|\bfunctions?\b|function[ _-]call", re.I),
}


@dataclass(frozen=True, kw_only=True)
class ChatForm:
    """What is sent.

    Attributes:
        choices: How the tool is forced, the first of these ways; none: it is not.
        strict: Whether arguments are held to the schema, which some servers cannot do.
        lengths: What the most tokens are called, the first of these names; none: not said.
        tools: Whether there is a tool; without one it is told in words.
        system: Whether the rules come as a system's message; else before the request.
        stream: Whether the answer is to come as a stream.
        usage: Whether a stream is to tell its tokens.
    """

    choices: tuple[str, ...] = (NAMED, REQUIRED)
    strict: bool = True
    lengths: tuple[str, ...] = (OLD_LENGTH, NEW_LENGTH)
    tools: bool = True
    system: bool = True
    stream: bool = False
    usage: bool = True

    def without(self, refusal: str) -> ChatForm | None:
        """The next simpler form; None if a refusal names nothing that could be left out.

        Args:
            refusal: The server's words.
        """
        for name, pattern in _NAMES.items():
            simpler = self._simpler(name) if pattern.search(refusal) else None
            if simpler is not None:
                return simpler
        return None

    def _simpler(self, name: str) -> ChatForm | None:
        if name in ("choices", "strict") and not self.tools:
            return None
        if name == "stream":
            return None if self.stream else replace(self, stream=True)
        if name == "usage":
            return replace(self, usage=False) if self.stream and self.usage else None
        value = getattr(self, name)
        if not value:
            return None
        less: Any = {name: value[1:] if isinstance(value, tuple) else False}
        return replace(self, **less)

    def params(self, model: str, request: Request) -> dict[str, Any]:
        """What the API is sent.

        Args:
            model: Who is asked.
            request: What is asked.
        """
        texts = [*request.earlier, request.now, request.correction]
        rules = request.system if self.tools else f"{request.system}\n\n{_words(request.tool)}"
        system = [{"role": "system", "content": rules}] if self.system else []
        if not self.system:
            texts.insert(0, rules)
        # Some chat templates of local models take nothing but plain text.
        user = {"role": "user", "content": "\n\n".join(filter(None, texts))}
        params: dict[str, Any] = {"model": model, "messages": [*system, user]}
        if self.lengths:
            params[self.lengths[0]] = request.max_tokens
        if self.stream:
            params["stream"] = True
            params |= {"stream_options": {"include_usage": True}} if self.usage else {}
        return params | (self._tool(request.tool) if self.tools else {})

    def _tool(self, tool: Tool) -> dict[str, Any]:
        function: dict[str, Any] = {
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.schema) if self.strict else _open(tool.schema),
        }
        if self.strict:
            function["strict"] = True
        said: dict[str, Any] = {"tools": [{"type": "function", "function": function}]}
        if self.choices:
            named = {"type": "function", "function": {"name": tool.name}}
            said["tool_choice"] = named if self.choices[0] == NAMED else REQUIRED
        return said

    def told(self, simpler: ChatForm) -> str:
        """What a simpler form leaves out or puts otherwise, in a few words."""
        changed = (name for name in _LEFT_OUT if getattr(self, name) != getattr(simpler, name))
        return " and ".join(_LEFT_OUT[name] for name in changed)


_LEFT_OUT = {
    "choices": "a tool that is forced so",
    "strict": "strict tools",
    "lengths": "the most tokens under that name",
    "tools": "tools",
    "system": "a system's message",
    "stream": "questions without a stream",
    "usage": "a stream that tells its tokens",
}


def _open(schema: Any) -> Any:
    """A schema without the words that strict tools want and others may not know."""
    if isinstance(schema, Mapping):
        return {key: _open(value) for key, value in schema.items() if key != "additionalProperties"}
    return [_open(value) for value in schema] if isinstance(schema, list) else schema


def _words(tool: Tool) -> str:
    """A tool in words, for a server that knows none."""
    return (
        f"You have no tools here. Instead of calling {tool.name} ({tool.description}), answer with "
        f"its input alone: one JSON object by this schema, without any other word.\n"
        f"{json.dumps(tool.schema)}"
    )
