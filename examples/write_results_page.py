"""Takes a sweep's results into docs: data, the table of docs/results.md and its picture.

    arena-breaker bootcamp --sweep examples/sweep.toml --out runs/sweep     # some minutes a run
    arena-breaker bootcamp --sweep examples/seeds.toml --out runs/seeds     # an hour a seed
    python examples/write_results_page.py runs/seeds/as_it_is-seed* runs/sweep

Every run is a bootcamp that differs from the first one in one thing; a bootcamp's own folder is the
run in which nothing differs. Rows of docs/data/results.json that were not measured anew stand, and
so does the table of seeds where no bootcamp of its own is given; `--anew` forgets them.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any

import typer

from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym.bootcamp.plan import FROZEN, GAIN, POST_TRAINED, TUTOR, ZERO_SHOT
from arena_breaker_gym.report.table import estimate, put_between_markers
from arena_breaker_gym.rollout.metrics import Row
from arena_breaker_gym.rollout.results import Results

ROOT = Path(__file__).parents[1] / "docs"
PAGE, DATA, PICTURE = ROOT / "results.md", ROOT / "data/results.json", ROOT / "images/results.png"


def compared(rows: list[Row]) -> list[dict[str, Any]]:
    """For each student that a run with a seed trained: it, the one before, and the tutor."""
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        if row["stage"] == 1 and row["point_blank_fix"]:
            groups.setdefault((row["run"], row["seed"]), []).append(row)
    return [
        _run(name, seed, some, learned)
        for (name, seed), some in groups.items()
        for learned in some
        if learned["agent"] not in (ZERO_SHOT, FROZEN, TUTOR)
    ]


def _run(name: str, seed: int, rows: list[Row], learned: Row) -> dict[str, Any]:
    by_agent = {row["agent"]: row for row in rows if row["latency"] is None}
    went_on = "" if learned["agent"] == POST_TRAINED else f", {learned['agent']}"
    hurried = "" if learned["latency"] is None else ", the game does not wait"
    return {
        "run": name + went_on + hurried,
        "seed": seed,
        "differs": learned["differs"],
        "before": by_agent[ZERO_SHOT],
        "after": learned,
        "tutor": by_agent[TUTOR],
    }


def beside_known(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The runs beside those that the page has had, those in which nothing differs first.

    One measured anew takes its old row's place.
    """
    anew = {(one["run"], one["seed"]): one for one in runs}
    known = json.loads(DATA.read_text(encoding="utf-8"))["runs"]
    merged = {(one["run"], one["seed"]): one for one in known} | anew
    return sorted(merged.values(), key=lambda one: bool(one["differs"]))


def table(runs: list[dict[str, Any]]) -> str:
    """The runs as Markdown."""
    lines = [
        "| run | seed | what differs | episodes | zero-shot | after | of the tutor's | 1st wave |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in runs:
        share = one["after"]["kills"]["mean"] / one["tutor"]["kills"]["mean"]
        told = ", ".join(f"{key} = {value}" for key, value in one["differs"].items()) or "nothing"
        lines.append(
            f"| {one['run']} | {one['seed']} | `{told}` | {one['after']['episodes']} | "
            f"{estimate(one['before'], 'kills')} | {estimate(one['after'], 'kills')} | "
            f"{100 * share:.0f} % | {estimate(one['after'], 'first_wave_cleared')} |"
        )
    return "\n".join(lines)


_POOLED = ("kills", "first_wave_cleared", "dashes", GAIN)


def agreement(camps: list[Results]) -> str:
    """What each seed's bootcamp says of each of the article's claims, as Markdown."""
    columns = [_claims(rows) for rows in ([one.rows for one in camps] + [_together(camps)])]
    seeds = [*(f"seed {one.settings.get('seed')}" for one in camps), "together"]
    lines = [f"| claim | {' | '.join(seeds)} |", f"|---|{'---|' * len(seeds)}"]
    lines += [
        f"| {claim} | {' | '.join(column.get(claim, '-') for column in columns)} |"
        for claim in dict.fromkeys(claim for column in columns for claim in column)
    ]
    return "\n".join(lines)


def _together(camps: list[Results]) -> list[Row]:
    """Rows of which every figure is the mean over the seeds, with the interval of that mean."""
    groups: dict[tuple[str, int, bool], list[Row]] = {}
    for row in (row for one in camps for row in one.rows if row["latency"] is None):
        groups.setdefault((row["agent"], row["stage"], row["point_blank_fix"]), []).append(row)
    return [
        {
            **some[0],
            **{key: _mean_of([one[key] for one in some]) for key in _POOLED if key in some[0]},
        }
        for some in groups.values()
        if len(some) == len(camps)
    ]


def _mean_of(figures: list[dict[str, float]]) -> dict[str, float]:
    """The mean of independent means: its error is theirs, added in squares, over their number."""
    mean = sum(one["mean"] for one in figures) / len(figures)
    below, above = (
        math.hypot(*(one[end] - one["mean"] for one in figures)) / len(figures)
        for end in ("low", "high")
    )
    return {"mean": mean, "low": mean - below, "high": mean + above}


def _claims(rows: list[Row]) -> dict[str, str]:
    first = [one for one in rows if one["stage"] == 1 and one["latency"] is None]
    fixed = {one["agent"]: one for one in first if one["point_blank_fix"]}
    bug = {one["agent"]: one for one in first if not one["point_blank_fix"]}
    zero, after, tutor = (fixed[name] for name in (ZERO_SHOT, POST_TRAINED, TUTOR))
    said = {
        "zero-shot makes at most a third of the post-trained student's kills": _judged(
            _mean(zero) <= _mean(after) / 3, f"{_mean(zero):.1f} of {_mean(after):.1f}"
        ),
        "post-trained beats zero-shot, intervals apart": _judged(*_apart(zero, after)),
        "the first wave is cleared in at least 90 % of episodes": _judged(
            after["first_wave_cleared"]["mean"] >= 0.9,
            f"{after['first_wave_cleared']['mean']:.0%}",
        ),
        "at least 5 dashes an episode": _judged(
            after["dashes"]["mean"] >= 5, f"{after['dashes']['mean']:.0f}"
        ),
    }
    for name, row in fixed.items():
        if name not in (ZERO_SHOT, FROZEN, TUTOR):
            said |= _claims_of_student(name, row, bug.get(name), tutor)
    return said


def _claims_of_student(name: str, fixed: Row, bug: Row | None, tutor: Row) -> dict[str, str]:
    least = 0.6 if name == POST_TRAINED else 0.75
    share = _mean(fixed) / _mean(tutor)
    said = {
        f"{name}: at least {least:.0%} of its tutor's kills": _judged(
            share >= least, f"{share:.0%}"
        )
    }
    if bug is not None:
        gain = fixed[GAIN]
        figures = f"{gain['mean']:+.1f} [{gain['low']:+.1f}, {gain['high']:+.1f}]"
        said[f"{name}: the fix beats the bug, intervals apart"] = _judged(*_apart(bug, fixed))
        said[f"{name}: the fix brings kills on equal seeds"] = _judged(gain["low"] > 0, figures)
    return said


def _mean(row: Row) -> float:
    return float(row["kills"]["mean"])


def _apart(lower: Row, higher: Row) -> tuple[bool, str]:
    words = f"{estimate(lower, 'kills')} and {estimate(higher, 'kills')}"
    return lower["kills"]["high"] < higher["kills"]["low"], words


def _judged(holds: bool, figures: str) -> str:
    return f"{'yes' if holds else '**no**'}: {figures}"


def draw(runs: list[dict[str, Any]]) -> None:
    """Kills before and after, a row a run."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 0.8 + 0.32 * len(runs)), dpi=120)
    for place, one in enumerate(reversed(runs)):
        kills = one["after"]["kills"]
        axes.plot([kills["low"], kills["high"]], [place] * 2, color="#3b7dd8", linewidth=3)
        axes.plot(kills["mean"], place, "o", color="#3b7dd8", label="after" if place == 0 else None)
        before = one["before"]["kills"]["mean"]
        axes.plot(before, place, "x", color="#777777", label="zero-shot" if place == 0 else None)
    names = [fill(f"{one['run']}, seed {one['seed']}", 40) for one in reversed(runs)]
    axes.set_yticks(range(len(runs)), names, fontsize=8)
    axes.set_xlabel("kills an episode, with 95 % interval")
    axes.set_xlim(left=0)
    axes.set_ylim(-0.6, len(runs) - 0.4)
    axes.grid(axis="x", alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, fontsize=8)
    figure.tight_layout()
    with written_whole(PICTURE) as part:
        figure.savefig(part, format="png")


def rows_in(results: Results) -> list[Row]:
    """The rows of a sweep, or those of a bootcamp as a run in which nothing differs."""
    as_it_is = {"run": "as it is", "seed": results.settings.get("seed"), "differs": {}}
    return [row if "run" in row else {**row, **as_it_is} for row in results.rows]


def write_page(runs: list[dict[str, Any]], camps: list[Results]) -> None:
    """Writes the table of runs, and that of seeds if there are bootcamps of its own."""
    shown = f"{table(runs)}\n\n![Kills before and after, by run](images/{PICTURE.name})"
    text = put_between_markers(PAGE.read_text(encoding="utf-8"), "runs", shown)
    if camps:
        text = put_between_markers(text, "agreement", agreement(camps))
    with written_whole(PAGE) as part:
        part.write_text(text, encoding="utf-8")


def main(
    folders: Annotated[list[Path], typer.Argument(help="Of bootcamps and sweeps.")],
    *,
    anew: Annotated[bool, typer.Option("--anew", help="Forget rows of other folders.")] = False,
) -> None:
    """Writes data, page and picture."""
    found = [Results.load(folder) for folder in folders]
    runs = compared([row for results in found for row in rows_in(results)])
    runs = runs if anew else beside_known(runs)
    with written_whole(DATA) as part:
        part.write_text(json.dumps({"runs": runs}, indent=1) + "\n", encoding="utf-8")
    write_page(runs, [one for one in found if "run" not in one.rows[0]])
    draw(runs)
    print(f"Page: {PAGE}\nData: {DATA}\nPicture: {PICTURE}")


if __name__ == "__main__":
    typer.run(main)
