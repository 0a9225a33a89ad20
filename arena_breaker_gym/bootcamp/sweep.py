"""`Sweep`: many bootcamps that differ in one thing each, from a file; resumable, with one table.

A sweep file is TOML: `[plan]` holds what all runs have in common, each table under `[runs]` what
is another there, `seeds` the seeds that every run is repeated with. Entries are those of
`BootcampPlan`; `alignment`, `posttrain`, `distillation` and `chunks` are tables of their own.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from arena_breaker_gym._runtime.files import claimed
from arena_breaker_gym._runtime.stored import is_text, is_whole, read_stored, shortened
from arena_breaker_gym.bootcamp.bootcamp import Bootcamp, refuse_unknown_names
from arena_breaker_gym.bootcamp.plan import POST_TRAINED, TUTOR, ZERO_SHOT, BootcampPlan
from arena_breaker_gym.report import Curve, CurveLine, Report
from arena_breaker_gym.rollout.metrics import Row
from arena_breaker_gym.rollout.results import Results
from arena_breaker_gym.settings import closest

Advance = Callable[[str, float], None]

_NESTED = ("alignment", "posttrain", "distillation", "chunks")
_LARGEST = 2**20  # bytes of a sweep file
_LONGEST_NAME = 100  # letters: it becomes a folder's


class SweepError(ValueError):
    """A sweep file that cannot be read; the sentence names the file and the entry."""


@dataclass(frozen=True)
class SweepRun:
    """One bootcamp of a sweep.

    Attributes:
        name: Of what is another in it.
        differs: Those entries of the plan, as the file has them.
        plan: The whole plan.
    """

    name: str
    differs: Mapping[str, object]
    plan: BootcampPlan

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', self.name)}-seed{self.plan.seed}"


def read_sweep(path: Path) -> list[SweepRun]:
    """The runs of a sweep file, seed by seed.

    Raises:
        SweepError: If there is no such file, or an entry is unknown or cannot be meant.
    """
    values = _values_in(path)
    known = ("plan", "runs", "seeds")
    for name in values:
        if name not in known:
            raise SweepError(f"{path}: there is no {shortened(name)}; {closest(name, known)}.")
    runs, common, seeds = values.get("runs", {}), values.get("plan", {}), values.get("seeds", [0])
    if not isinstance(runs, dict) or not runs:
        raise SweepError(f"{path}: [runs] is empty; expected a table for each run.")
    if not isinstance(seeds, list) or not seeds or not all(map(is_whole, seeds)):
        raise SweepError(f"{path}: seeds is {shortened(seeds)}; expected a list of whole numbers.")
    _check_tables(path, {"plan": common, **{f"runs.{name}": one for name, one in runs.items()}})
    found = [
        _run(path, name, {**common, **differs, **_merged(common, differs)}, differs, seed)
        for name, differs in runs.items()
        for seed in seeds
    ]
    for folder, count in Counter(run.folder for run in found).items():
        if count > 1:
            raise SweepError(
                f"{path}: {count} runs would lie in the folder {shortened(folder)}; expected names "
                "that differ in letters or digits, and each seed once."
            )
    return found


def _values_in(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_stored(path, most=_LARGEST).decode())
    except FileNotFoundError:
        raise SweepError(f"There is no sweep file at {path}.") from None
    except RecursionError:
        raise SweepError(f"{path} is no TOML file: it is nested too deeply.") from None
    except (ValueError, OSError) as error:
        raise SweepError(f"{path} is no TOML file: {error}.") from None


def _check_tables(path: Path, tables: Mapping[str, object]) -> None:
    """Refuses what should be a table, or one within it, and is another value."""
    within = {
        f"{name}.{part}": table[part]
        for name, table in tables.items()
        for part in _NESTED
        if isinstance(table, dict) and part in table
    }
    for name, table in {**tables, **within}.items():
        if not isinstance(table, dict):
            raise SweepError(f"{path}: {name} is {shortened(table)}; expected a table.")


def _merged(common: Mapping[str, Any], differs: Mapping[str, Any]) -> dict[str, Any]:
    """Nested tables hold what either of them says."""
    return {
        name: {**common.get(name, {}), **differs.get(name, {})}
        for name in _NESTED
        if name in common or name in differs
    }


def _run(
    path: Path, name: str, values: Mapping[str, object], differs: Mapping[str, object], seed: int
) -> SweepRun:
    if not is_text(name, longest=_LONGEST_NAME):
        raise SweepError(f"{path}, run {shortened(name)}: expected a name of a folder's length.")
    try:
        return SweepRun(name, differs, _plan(values, seed))
    except (TypeError, ValueError) as error:
        raise SweepError(f"{path}, run {name!r}: {error}") from None


def _plan(values: Mapping[str, object], seed: int) -> BootcampPlan:
    names = [one.name for one in fields(BootcampPlan)]
    for name in values:
        if name not in names or name == "seed":
            raise ValueError(f"a plan has no entry {shortened(name)}; {closest(name, names)}.")
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    nested = {name: plain.pop(name) for name in _NESTED if name in plain}
    plan = BootcampPlan.for_student(plain.pop("student", "base"), seed=seed, **plain)
    return replace(plan, **{k: _changed(getattr(plan, k), k, v) for k, v in nested.items()})


def _changed(part: Any, name: str, values: Mapping[str, object]) -> Any:
    """A part of a plan with what a table says of it."""
    names = [one.name for one in fields(part)]
    for key in values:
        if key not in names:
            raise ValueError(f"{name} has no entry {shortened(key)}; {closest(key, names)}.")
    return replace(part, **values)


def run_sweep(runs: Sequence[SweepRun], out: Path, advance: Advance) -> Results:
    """Does what is left to do of every run, each in a folder of its own.

    Args:
        runs: Of `read_sweep`.
        out: Folder of the sweep; `results.json` has a row for each row of a run, with `run`,
            `seed` and what `differs`.
        advance: Called with what is going on and the share done of all, in [0, 1].

    Raises:
        ValueError: If a run names a student, tutor or skin that there is not, before any is begun;
            another sweep is at work in the folder, or it is deleted meanwhile.
    """
    for run in runs:
        refuse_unknown_names(run.plan)
    with claimed(out):
        return _run_all(runs, out, advance)


def _run_all(runs: Sequence[SweepRun], out: Path, advance: Advance) -> Results:
    rows: list[Row] = []
    timings: dict[str, float] = {}
    for place, run in enumerate(runs):

        def show(words: str, share: float, place: int = place, name: str = run.name) -> None:
            advance(f"{name}: {words}", (place + share) / len(runs))

        found = Bootcamp(run.plan, out / run.folder).run(show)
        about = {"run": run.name, "seed": run.plan.seed, "differs": dict(run.differs)}
        rows += [{**row, **about} for row in found.rows]
        timings[run.folder] = round(sum(found.timings_s.values()), 3)
        settings = {one.folder: one.plan.to_dict() for one in runs[: place + 1]}
        results = Results(rows, settings, timings)
        results.save(out)
    return results


def sweep_report(results: Results, *, command: str = "") -> Report:
    """A page of a sweep: every run's rows, and a curve for each number that runs differ in."""
    rows = [
        {**row, "agent": f"{row['run']}, seed {row['seed']}: {row['agent']}"}
        for row in results.rows
        if row["agent"] not in (TUTOR,)
    ]
    return Report(
        title="A sweep of bootcamps",
        rows=rows,
        curves=[*_curves(results.rows)],
        settings={"runs": [*results.settings]},
        timings_s=results.timings_s,
        command=command,
    )


def _curves(rows: Sequence[Row]) -> Iterator[Curve]:
    keys = {key for row in rows for key, value in row["differs"].items() if _is_number(value)}
    for key in sorted(keys):
        chosen = [row for row in rows if _is_number(row["differs"].get(key)) and _plain(row)]
        lines = [_line(agent, key, chosen) for agent in (ZERO_SHOT, POST_TRAINED)]
        yield Curve(
            title=f"Kills by {key}",
            x_label=key,
            y_label="kills an episode",
            lines=[line for line in lines if len(line.x) > 1],
        )


def _line(agent: str, key: str, rows: Sequence[Row]) -> CurveLine:
    """An agent's kills by a number; means over seeds."""
    by_value: dict[float, list[Row]] = {}
    for row in rows:
        if row["agent"] == agent:
            by_value.setdefault(row["differs"][key], []).append(row)
    places = sorted(by_value)

    def means(end: str) -> list[float]:
        return [
            sum(row["kills"][end] for row in by_value[place]) / len(by_value[place])
            for place in places
        ]

    return CurveLine(name=agent, x=places, y=means("mean"), low=means("low"), high=means("high"))


def _plain(row: Row) -> bool:
    """Whether a row is of the first stage, with the fix, in a game that waits."""
    return bool(row["stage"] == 1 and row["point_blank_fix"] and row["latency"] is None)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
