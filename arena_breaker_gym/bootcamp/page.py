"""`bootcamp_report`: what a bootcamp's folder comes to, as a report for its page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from arena_breaker_gym.bootcamp.plan import FROZEN, GAIN, POST_TRAINED, TUTOR, ZERO_SHOT
from arena_breaker_gym.report import Report, VideoPanel
from arena_breaker_gym.report.report import loss_curves
from arena_breaker_gym.rollout.metrics import Row
from arena_breaker_gym.rollout.results import Results

if TYPE_CHECKING:
    from arena_breaker_gym.bootcamp.bootcamp import Bootcamp


def bootcamp_report(camp: Bootcamp, results: Results, *, command: str = "") -> Report:
    """The report of a bootcamp that has been run.

    Args:
        camp: The bootcamp.
        results: What its run gave.
        command: How to run it again.

    Raises:
        EpisodeError: If an episode's file cannot be read.
    """
    return Report(
        title=f"Bootcamp: {camp.plan.tutor} teaches {camp.plan.student}",
        verdict=verdict_of(results.rows),
        rows=results.rows,
        episodes=dict(camp.measured_episodes()),
        curves=[*loss_curves(camp.training_folders())],
        videos=[VideoPanel(caption=caption, path=path) for caption, path in camp.films.items()],
        settings=results.settings,
        timings_s=results.timings_s,
        command=command,
    )


def verdict_of(rows: Sequence[Row]) -> list[str]:
    """What the rows say on the article's questions, a sentence each."""
    found = {(r["agent"], r["stage"], r["point_blank_fix"]): r for r in rows if not r["latency"]}
    stage = min((one for _, one, _ in found), default=1)
    before = found.get((ZERO_SHOT, stage, True))
    after = found.get((POST_TRAINED, stage, True))
    if before is None or after is None:
        return []
    return [*_answers(found, stage, before, after)]


def _answers(
    found: Mapping[tuple[str, int, bool], Row], stage: int, before: Row, after: Row
) -> Iterator[str]:
    yield (
        f"In looks that it has never seen the student kills {_kills(before)} an episode; "
        f"post-trained, {_kills(after)}: the intervals {_apart(before, after)}."
    )
    bug = found.get((POST_TRAINED, stage, False))
    if bug is not None:
        yield (
            f"The same weights kill {_kills(bug)} where point-blank shots pass through, "
            f"{_kills(after)} where they hit: the intervals {_apart(bug, after)}{_gained(after)}."
        )
    frozen = found.get((FROZEN, stage, True))
    if frozen is not None:
        yield f"A second student, whose vision encoder is frozen, kills {_kills(frozen)}."
    tutor = found.get((TUTOR, stage, True))
    if tutor is not None and tutor["kills"]["mean"]:
        yield (
            f"The post-trained student makes {_share(after, tutor)} of its tutor's kills, "
            f"{_kills(tutor)}."
        )
    yield from _went_on(found, stage, tutor)
    yield (
        f"The post-trained student clears the first wave in "
        f"{100 * after['first_wave_cleared']['mean']:.0f} % of episodes and dashes "
        f"{after['dashes']['mean']:.1f} times in one."
    )


def _went_on(
    found: Mapping[tuple[str, int, bool], Row], stage: int, tutor: Row | None
) -> Iterator[str]:
    """What came after the article: rounds of DAgger, and PPO."""
    known = (ZERO_SHOT, POST_TRAINED, FROZEN, TUTOR)
    for (name, where, fixed), row in found.items():
        if name not in known and where == stage and fixed:
            told = (
                ""
                if tutor is None or not tutor["kills"]["mean"]
                else f", {_share(row, tutor)} of its tutor's"
            )
            yield f"After {name} the student kills {_kills(row)}{told}."


def _gained(row: Row) -> str:
    gain = row.get(GAIN)
    if gain is None or gain["mean"] is None:
        return ""
    return f"; on equal seeds it is {gain['mean']:+.1f} [{gain['low']:+.1f}, {gain['high']:+.1f}]"


def _share(row: Row, tutor: Row) -> str:
    return f"{100 * row['kills']['mean'] / tutor['kills']['mean']:.0f} %"


def _kills(row: Row) -> str:
    kills = row["kills"]
    return f"{kills['mean']:.1f} [{kills['low']:.1f}, {kills['high']:.1f}]"


def _apart(first: Row, second: Row) -> str:
    low, high = sorted((first["kills"], second["kills"]), key=lambda kills: kills["mean"])
    return "do not touch" if low["high"] < high["low"] else "touch"
