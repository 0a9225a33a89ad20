"""The prompt cache: which prefix of a prompt is read, written, or neither."""

import hashlib
from dataclasses import dataclass, field

from tests.fake_apis.tokens import compact, tokens_of

LIFETIMES_S = {"5m": 300.0, "1h": 3600.0}
_LOOKBACK = 20  # blocks before a breakpoint at which an older entry is still found


@dataclass(frozen=True)
class Block:
    """A piece of a prompt, and all that stands before it."""

    digest: str  # of the prompt up to the end of this block
    tokens: int  # of the prompt up to the end of this block
    ttl: str | None  # of the breakpoint that it carries


@dataclass
class Use:
    """What one prompt does with the cache, and what must be kept once it is answered."""

    fresh: int = 0  # tokens neither read nor written
    read: int = 0
    written: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LIFETIMES_S, 0))
    kept: list[tuple[str, str]] = field(default_factory=list)  # (digest, ttl)

    @property
    def total(self):
        return self.fresh + self.read + sum(self.written.values())


class PromptCache:
    """Prefixes of prompts that were seen, each until it expires.

    `minimum` is the least tokens that are worth keeping; `now` is in seconds.
    """

    def __init__(self, minimum):
        self.minimum = minimum
        self._expiry = {}

    def use(self, blocks, now):
        """How a prompt is counted now; nothing is kept before `keep`."""
        marks = [index for index, block in enumerate(blocks) if block.ttl]
        found = self._longest(blocks, marks, now)
        use = Use(read=blocks[found].tokens if found is not None else 0)
        if found is not None:
            use.kept.append((blocks[found].digest, blocks[found].ttl or "5m"))
        counted = use.read
        for block in (blocks[index] for index in marks):
            if block.tokens >= self.minimum:
                use.kept.append((block.digest, block.ttl))
            if block.tokens >= max(self.minimum, counted):
                use.written[block.ttl] += block.tokens - counted
                counted = block.tokens
        use.fresh = blocks[-1].tokens - counted
        return use

    def keep(self, use, now):
        """Makes readable what a prompt wrote, and lives on what it read."""
        for digest, ttl in use.kept:
            self._expiry[digest] = max(self._expiry.get(digest, 0.0), now + LIFETIMES_S[ttl])

    def _longest(self, blocks, marks, now):
        near = {index for mark in marks for index in range(max(0, mark - _LOOKBACK + 1), mark + 1)}
        live = (
            i for i in sorted(near, reverse=True) if self._expiry.get(blocks[i].digest, 0) > now
        )
        return next(live, None)


def message_blocks(params):
    """The blocks of a Messages request, in the order in which they are cached."""
    parts = [("tools", params.get("tools", []))]
    parts.append(("system", _as_blocks(params.get("system", []))))
    # Other choices of tools or of thinking make messages another prompt, tools and system not.
    mode = compact([params.get("tool_choice"), params.get("thinking")])
    parts += [
        (message["role"] + mode, _as_blocks(message["content"])) for message in params["messages"]
    ]
    blocks = prefixes(params["model"], parts)
    if params.get("cache_control"):
        last = blocks[-1]
        blocks[-1] = Block(last.digest, last.tokens, params["cache_control"].get("ttl", "5m"))
    return blocks


def _as_blocks(content):
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def prefixes(model, parts):
    """Blocks of (name, contents) pairs, each with the digest and tokens of all up to it."""
    digest = hashlib.sha256(model.encode())
    characters = 0
    blocks = []
    for name, contents in parts:
        digest.update(name.encode())
        for content in contents:
            text = compact({key: content[key] for key in content if key != "cache_control"})
            digest.update(text.encode())
            characters += len(text)
            ttl = (content.get("cache_control") or {}).get("ttl", "5m")
            marked = content.get("cache_control") is not None
            blocks.append(Block(digest.hexdigest(), tokens_of(characters), ttl if marked else None))
    return blocks


def usage_of(use, thought, said, tier):
    """A `usage` of the Messages API; `thought` and `said` are tokens of output."""
    return {
        "input_tokens": use.fresh,
        "cache_creation_input_tokens": sum(use.written.values()),
        "cache_creation": {
            "ephemeral_5m_input_tokens": use.written["5m"],
            "ephemeral_1h_input_tokens": use.written["1h"],
        },
        "cache_read_input_tokens": use.read,
        "output_tokens": thought + said,
        "output_tokens_details": {"thinking_tokens": thought},
        "service_tier": tier,
    }
