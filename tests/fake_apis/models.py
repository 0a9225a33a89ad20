"""What each model accepts: kinds of thinking, forced tools, levels of effort.

As the providers' guides had it in November 2026; a model that is not told apart there is
treated like its elder sibling.
"""

from dataclasses import dataclass, replace

EFFORTS = ("low", "medium", "high")


@dataclass(frozen=True)
class Model:
    """One model of the Messages API."""

    thinking: tuple[str, ...]  # values of thinking.type that it accepts
    thinks: bool = False  # without being asked
    forced: bool = True  # whether a tool may be forced on it
    efforts: tuple[str, ...] = ()
    sampling: bool = True  # whether temperature and top_p are accepted
    display: str = "summarized"  # of its thoughts, unless asked otherwise


_MANUAL = Model(("enabled", "disabled"))
_BOTH = Model(("enabled", "adaptive", "disabled"), efforts=(*EFFORTS, "max"))
_ADAPTIVE = Model(
    ("adaptive", "disabled"),
    efforts=(*EFFORTS, "xhigh", "max"),
    sampling=False,
    display="omitted",
)
_THINKS = replace(_ADAPTIVE, thinks=True)
_ALWAYS = replace(_THINKS, thinking=("adaptive",))
_UNFORCED = replace(_ALWAYS, forced=False)
_BETWEEN = replace(_UNFORCED, thinking=("adaptive", "between_tools"))

MODELS = {
    "claude-haiku-4-5": _MANUAL,
    "claude-haiku-4-5-20251001": _MANUAL,
    "claude-sonnet-4-5": _MANUAL,
    "claude-sonnet-4-5-20250929": _MANUAL,
    "claude-opus-4-5": replace(_MANUAL, efforts=EFFORTS),
    "claude-opus-4-5-20251101": replace(_MANUAL, efforts=EFFORTS),
    "claude-sonnet-4-6": _BOTH,
    "claude-opus-4-6": _BOTH,
    "claude-opus-4-7": _ADAPTIVE,
    "claude-opus-4-8": _ADAPTIVE,
    "claude-sonnet-5": _THINKS,
    "claude-opus-5": _THINKS,
    "claude-fable-5": _ALWAYS,
    "claude-mythos-5": _ALWAYS,
    "claude-sonnet-5-5": _BETWEEN,
    "claude-haiku-5-5": _BETWEEN,
    "claude-opus-5-5": _UNFORCED,
    "claude-fable-5-1": _UNFORCED,
    "claude-fable-5-2": _UNFORCED,
    "claude-mythos-5-1": _UNFORCED,
    "claude-mythos-5-2": _UNFORCED,
}

CHAT_MODELS = ("gpt-5", "gpt-5-mini", "gpt-4.1", "local-model")


def thinks(params):
    """Whether the reply to a request that is accepted begins with thoughts."""
    model = MODELS[params["model"]]
    thinking = params.get("thinking")
    if thinking is None:
        # Where a tool may be forced on a model that thinks unasked, it calls at once.
        return model.thinks and params.get("tool_choice", {}).get("type") not in ("tool", "any")
    return thinking["type"] in ("enabled", "adaptive")
