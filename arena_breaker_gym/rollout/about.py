"""What an episode's file says of itself, looked at before it is believed."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from arena_breaker_gym._runtime.stored import StoredError, is_number, is_text, is_whole, shortened
from arena_breaker_gym.rollout.episode import STATUSES
from arena_breaker_gym.rollout.latency import checked_latency
from arena_breaker_gym.rollout.metrics import CHARGED, METRICS

_MOST_STAGES = 100
_DIGEST = 64  # hexadecimal digits of a SHA-256


def check_about(about: Mapping[str, Any]) -> None:
    """Refuses what no episode says of itself.

    Args:
        about: What the file says, by name, less its format.

    Raises:
        StoredError: If something is missing, or not of the kind that it must be.
    """
    missing = [name for name in _KINDS if name not in about and name not in _UNSAID]
    if missing:
        raise StoredError(f"it says nothing of {missing[0]!r}")
    for name, value in about.items():
        fits = _KINDS.get(name)
        if fits is None or not fits(value):
            raise StoredError(f"{shortened(name)} cannot be {shortened(value)}")


def _is_agent(value: object) -> bool:
    return is_text(value, longest=10_000)


def _is_settings(value: object) -> bool:
    if not isinstance(value, dict) or not is_text(value.get("skin", "")):
        return False
    stages = value.get("stages")
    return stages is None or (
        isinstance(stages, list)
        and 0 < len(stages) <= _MOST_STAGES
        and all(isinstance(one, str) for one in stages)
    )


def _are_metrics(value: object) -> bool:
    if not isinstance(value, dict) or not value.keys() <= METRICS.keys():
        return False
    needed = METRICS.keys() - CHARGED
    return needed <= value.keys() and all(is_number(one) for one in value.values())


def _is_digest(value: object) -> bool:
    return is_text(value, longest=_DIGEST)


def _is_latency(value: object) -> bool:
    try:
        return value is None or checked_latency(value) is not None
    except ValueError:
        return False


def _may_be_name(value: object) -> bool:
    return value is None or is_text(value)


_KINDS: Mapping[str, Callable[[object], bool]] = {
    "agent": _is_agent,
    "settings": _is_settings,
    "seed": partial(is_whole, most=2**256),
    "stage": partial(is_whole, least=1, most=_MOST_STAGES),
    "max_steps": partial(is_whole, least=1),
    "status": STATUSES.__contains__,
    "reason": _is_agent,
    "metrics": _are_metrics,
    "final_hash": _is_digest,
    "engine_version": is_whole,
    "stages_digest": _is_digest,
    "latency": _is_latency,
    "drawn_by": _may_be_name,
}
_UNSAID = ("latency", "drawn_by")
