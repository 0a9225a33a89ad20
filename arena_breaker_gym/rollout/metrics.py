"""The one metrics table: what is counted of an episode, and what many episodes come to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.rollout.episode import STATUSES, Episode, Latency

RESAMPLES = 10_000
COVERAGE = 95  # % of the resampled means that lie between low and high
_BOOTSTRAP_SEED = 20_240_601  # any number: equal episodes must give equal intervals
_CHUNK = 500  # resamples drawn at once, to keep memory small
_DIGITS = 6  # decimals kept, well above what the order of a sum can change

Row = dict[str, Any]


@dataclass(frozen=True)
class Metric:
    """One column of the table.

    Attributes:
        label: Heading for people.
        meaning: What it is, with its unit.
        decimals: Decimals shown to people.
    """

    label: str
    meaning: str
    decimals: int = 2


METRICS: Mapping[str, Metric] = {
    "kills": Metric("kills", "enemies the player killed"),
    "score": Metric("score", "10 a wave begun and each killed enemy's value", 1),
    "kills_per_minute": Metric("kills/min", "kills in a minute survived", 1),
    "survival_seconds": Metric("survival s", "seconds played until the end", 1),
    "stage_reached": Metric("stage", "stage (1, 2, …) at the end"),
    "wave_reached": Metric("wave", "wave (1, 2, …) of that stage at the end; 0: before the first"),
    "waves_cleared": Metric("waves cleared", "waves cleared in all stages"),
    "first_wave_cleared": Metric("1st wave", "share of episodes that cleared a wave"),
    "victory": Metric("victory", "share of episodes that cleared the last stage"),
    "aim_magnitude": Metric("aim", "mean length of the aim stick, 0 to 1", 3),
    "firing_share": Metric("firing", "share of the time in which the aim stick fires", 3),
    "accuracy": Metric("accuracy", "shots that hit an enemy / shots fired; 0 without shots", 3),
    "dashes": Metric("dashes", "dashes begun", 1),
    "damage_taken": Metric("damage", "hp lost"),
    "episode_return": Metric("return", "sum of the rewards"),
    "steps": Metric("steps", "steps played", 0),
    "latency_ticks": Metric("wait, ticks", "mean ticks from a look to its answer", 1),
    "looks": Metric("looks", "looks that were charged; 0 where the game waits", 1),
}
# What only a game with a latency counts: all zero where the game waits.
CHARGED = ("latency_ticks", "looks")


def metrics_of(
    summary: Mapping[str, Any],
    *,
    rewards: NDArray[np.float64],
    latency_ticks: float = 0.0,
    looks: int = 0,
) -> dict[str, float]:
    """An episode's metrics.

    Args:
        summary: What `Arenas.summary` says at the end.
        rewards: (T,) the episode's rewards.
        latency_ticks: Mean ticks from a look to its answer.
        looks: How many looks were charged.

    Returns:
        A number for each name of `METRICS`, in its order.
    """
    seconds = summary["survival_seconds"]
    shots = summary["shots_fired"]
    values = {
        "kills": summary["kills"],
        "score": summary["score"],
        "kills_per_minute": 60.0 * summary["kills"] / seconds if seconds > 0 else 0.0,
        "survival_seconds": seconds,
        "stage_reached": summary["stage"],
        "wave_reached": summary["wave"],
        "waves_cleared": summary["waves_cleared"],
        "first_wave_cleared": summary["waves_cleared"] > 0,
        "victory": summary["victory"],
        "aim_magnitude": summary["aim_magnitude"],
        "firing_share": summary["firing_share"],
        "accuracy": summary["hits"] / shots if shots > 0 else 0.0,
        "dashes": summary["dashes"],
        "damage_taken": summary["damage_taken"],
        "episode_return": rewards.sum(),
        "steps": len(rewards),
        "latency_ticks": latency_ticks,
        "looks": looks,
    }
    return {name: float(values[name]) for name in METRICS}


def row_of(agent: str, episodes: Sequence[Episode]) -> Row:
    """What some episodes of one agent on one stage come to.

    Means and intervals are over the episodes that were played to an end. Those in which the
    agent failed are counted under `status` and stand in no mean.

    Args:
        agent: The agent's name in the table.
        episodes: At least one, all with the same first stage, point-blank setting and latency.

    Returns:
        `agent`, `stage`, `point_blank_fix`, `latency` (ticks, "measured", or None where the
        game waits), `episodes` (how many, failed ones included), `status` (how many of each),
        and for each metric its `mean`, `low` and `high`: the 95 % interval of the mean, None
        without a played episode. Where the agent failed, `failures` says how often for each
        reason.

    Raises:
        ValueError: If there are no episodes, or they do not belong into one row.
    """
    kinds = {_kind_of(one) for one in episodes}
    if len(kinds) != 1:
        raise ValueError(
            "A row needs episodes of one stage and one point_blank_fix setting and latency, "
            f"got {len(episodes)} episodes of {len(kinds)} kinds."
        )
    ((stage, fix, latency),) = kinds
    counts = Counter(one.status for one in episodes)
    failures = Counter(one.reason for one in episodes if one.failed)
    row = {
        "agent": agent,
        "stage": stage,
        "point_blank_fix": fix,
        "latency": latency,
        "episodes": len(episodes),
        "status": {status: counts[status] for status in STATUSES if counts[status]},
        **_estimates([one.metrics for one in episodes if not one.failed]),
    }
    return {**row, "failures": dict(failures)} if failures else row


def rows_of(agent: str, episodes: Sequence[Episode]) -> list[Row]:
    """A row for each stage, point-blank setting and latency, in order of stages."""
    groups: dict[tuple[int, bool, Latency], list[Episode]] = {}
    for one in episodes:
        groups.setdefault(_kind_of(one), []).append(one)
    return [row_of(agent, groups[kind]) for kind in sorted(groups, key=_order)]


def paired_gain(
    before: Sequence[Episode], after: Sequence[Episode], name: str = "kills"
) -> dict[str, float | None]:
    """How much more episodes come to than others of the same seeds.

    Both games of a pair begin alike, so what the seeds differ in falls out of the difference.

    Args:
        before: Episodes; those without a counterpart, and pairs in which the agent failed, are left
            out.
        after: Episodes to hold against them.
        name: Of the metric.

    Returns:
        The `mean` of the differences, after less before, and the `low` and `high` end of its 95 %
        interval; None without a pair.
    """
    known = {one.seed: one.metrics[name] for one in before if not one.failed}
    pairs = [one for one in after if one.seed in known and not one.failed]
    if not pairs:
        return {"mean": None, "low": None, "high": None}
    gains = np.array([[one.metrics[name] - known[one.seed]] for one in pairs])
    low, high = bootstrap_interval(gains)
    ends = {"mean": gains.mean(), "low": low[0], "high": high[0]}
    return {end: round(float(value), _DIGITS) for end, value in ends.items()}


def _kind_of(episode: Episode) -> tuple[int, bool, Latency]:
    return episode.stage, episode.settings.point_blank_fix, episode.latency


def _order(kind: tuple[int, bool, Latency]) -> tuple[int, bool, float]:
    """Games that wait stand first, measured ones last."""
    stage, fix, latency = kind
    return stage, fix, np.inf if isinstance(latency, str) else latency or 0


def _estimates(metrics: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float | None]]:
    if not metrics:
        return {name: {"mean": None, "low": None, "high": None} for name in METRICS}
    values = np.array([[one[name] for name in METRICS] for one in metrics])
    low, high = bootstrap_interval(values)
    columns = zip(METRICS, values.mean(axis=0), low, high, strict=True)
    return {
        name: {
            "mean": round(float(mean), _DIGITS),
            "low": round(float(least), _DIGITS),
            "high": round(float(most), _DIGITS),
        }
        for name, mean, least, most in columns
    }


def bootstrap_interval(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The percentile-bootstrap 95 % interval of means over episodes.

    Episodes are drawn with replacement 10,000 times by a generator of fixed seed, the same
    draws for every metric. One episode, or equal ones, give an interval without width: the
    bootstrap knows only the spread that it sees.

    Args:
        values: (n, m): m metrics of n episodes.

    Returns:
        (m,) lower and (m,) upper ends.
    """
    count = len(values)
    generator = np.random.default_rng(_BOOTSTRAP_SEED)
    shares = np.full(count, 1.0 / count)
    means = np.concatenate(
        [
            generator.multinomial(count, shares, size=_CHUNK) @ values / count
            for _ in range(RESAMPLES // _CHUNK)
        ]
    )
    tail = (100.0 - COVERAGE) / 2.0
    low, high = np.percentile(means, [tail, 100.0 - tail], axis=0)
    return low, high
