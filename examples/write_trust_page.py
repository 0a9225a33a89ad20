"""Puts the figures of kills, damaged inputs, soaks and load into docs/trust.md.

    python examples/pull_the_plug.py --kills 1000 --out docs/data/trust/kills.json
    python examples/fuzz_inputs.py --inputs 24000 --out docs/data/trust/inputs.json
    python examples/soak.py --out docs/data/trust/soak.json
    python examples/serving_load.py
    python examples/write_trust_page.py

The first two may have been run in parts, of other seeds, commands and kinds: a file each, all of
which are added up.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym.report.table import put_between_markers

ROOT = Path(__file__).parents[1]
SERVING = ROOT / "docs" / "data" / "serving.json"
LOADS = ("as in play", "back to back")
WAYS = (("requests that wait share a pass", ""), ("one request a pass", ", one request a pass"))
PAGE, DATA = ROOT / "docs" / "trust.md", ROOT / "docs" / "data" / "trust"
LOST = ("lost", "wrong", "left", "traceback", "failed")
BAD = ("wrong", "traceback", "unclear", "crash", "hung", "memory", "ran")


def parts(name: str) -> list[dict[str, Any]]:
    """The files of one kind of figures."""
    return [json.loads(path.read_text()) for path in sorted(DATA.glob(f"{name}*.json"))]


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _script(name: str) -> Any:
    """A script beside this one, whose names of things the figures go by."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return importlib.import_module(f"examples.{name}")


def command(script: str, *words: object) -> str:
    """How to run a script again."""
    return f"`python examples/{script} {' '.join(map(str, words))}`".replace(" `", "`")


def kills() -> str:
    """What came of kills, a row a command."""
    found: dict[str, Counter[str]] = {}
    calls: Counter[str] = Counter()
    for part in parts("kills"):
        for name, one in part["commands"].items():
            row = found.setdefault(name, Counter())
            row.update({kind: one[kind] for kind in (*LOST, "ended")})
            row.update({f"at {how}": number for how, number in one["kills"].items()})
            calls.update(one["calls"])
    rows = [[name, *_of_kills(one)] for name, one in found.items()]
    rows.append(["**all**", *_of_kills(sum(found.values(), Counter()))])
    heads = ("command", "at random times", "at system calls", "ended after", *LOST)
    told = ", ".join(f"{call} {number}" for call, number in sorted(calls.items()))
    return f"{table(heads, rows)}\n\nSystem calls at which runs were killed: {told}.\n\n{_repeat()}"


def _of_kills(one: Counter[str]) -> list[int]:
    return [one["at random time"], one["at system call"], one["ended"], *(one[k] for k in LOST)]


def _repeat() -> str:
    """The commands behind the table of kills."""
    told = [
        command("pull_the_plug.py", "--kills", part["kills"], "--seed", part["seed"], *_only(part))
        for part in parts("kills")
    ]
    return f"Again: {', '.join(told)}."


def _only(part: Mapping[str, Any]) -> list[str]:
    """What a run was of, where it was not of everything."""
    every = {one.name for one in _script("pull_the_plug").COMMANDS_KILLED if one.weight}
    names = list(part["commands"])
    return [] if every <= set(names) else [f'--only "{name}"' for name in names]


def inputs() -> str:
    """What readers did with damaged inputs, a row a kind."""
    kinds = _script("fuzz_inputs").KINDS
    rows: list[list[object]] = []
    for part in parts("inputs"):
        for kind, one in part["kinds"].items():
            again = ("--only", kind, "--inputs", one["inputs"], "--seed", part["seed"])
            figures = [one[name] for name in ("inputs", "read", "refused", *BAD, "megabytes")]
            rows.append([_words(kinds[kind]), *figures, command("fuzz_inputs.py", *again)])
    sums = [sum(row[place] for row in rows) for place in range(1, 4 + len(BAD))]  # type: ignore[misc]
    rows.append(["**all**", *sums, max((int(str(row[-2])) for row in rows), default=0), ""])
    heads = ("what", "inputs", "read", "refused", *BAD, "most MB", "again")
    return table(heads, rows)


def _words(kind: Any) -> str:
    return str(kind.__doc__).split("\n")[0].rstrip(".")


def soaked() -> str:
    """What a soak saw."""
    rows = [
        [
            part["ticks"], part["hours_of_play"], part["episodes"], part["megabytes"],
            part["growth_megabytes"],
            command("soak.py", "--ticks", part["ticks"], "--seed", part["seed"]),
        ]
        for part in parts("soak")
    ]  # fmt: skip
    return table(("ticks", "hours of play", "episodes", "MB", "MB grown", "again"), rows)


def load() -> str:
    """What a policy server's clients wait, a row a kind of load."""
    told = json.loads(SERVING.read_text())
    rows: list[list[object]] = []
    for how, kind in WAYS:
        for name in LOADS:
            one, many, times = (told[how][name][who] for who in ("one", "many", "times one's p50"))
            figures = [many["clients"], *(many[f"p{p}_ms"] for p in (50, 95, 99)), times["p50"]]
            rows.append(
                [f"{name}{kind}", one["p50_ms"], *figures, many["requests_per_s"], many["refused"]]
            )
    heads = ("load", "one client, p50 ms", "clients", "p50 ms", "p95 ms", "p99 ms",
             "p50 in one's", "requests/s", "refused")  # fmt: skip
    return f"{table(heads, rows)}\n\nOn {told['machine']}. Again: `{told['command']}`."


def summary() -> str:
    """One line a kind of figure."""
    dead, served = parts("kills"), json.loads(SERVING.read_text())
    read = [one for part in parts("inputs") for one in part["kinds"].values()]
    faults = sum(part["faults"] for part in dead)
    bad: Counter[str] = Counter()
    for one in read:
        bad.update({name: one[name] for name in BAD})
    rows: Iterator[tuple[str, object]] = iter(
        [
            ("kills survived", sum(part["kills"] for part in dead)),
            ("lost, wrong, left over or failed after a kill", faults),
            ("damaged inputs tried", sum(one["inputs"] for one in read)),
            ("tracebacks", bad["traceback"]),
            ("refusals that are no clear sentence", bad["unclear"]),
            ("crashes and hangs", bad["crash"] + bad["hung"]),
            ("damaged inputs read as something else", bad["wrong"]),
            ("inputs that ran code", bad["ran"]),
            ("inputs that took over 500 MB", bad["memory"]),
            ("ticks soaked", sum(part["ticks"] for part in parts("soak"))),
            *(
                (f"{clients} policy clients {name}: p50 in those of one", times)
                for name, clients, times in _loads(served)
            ),
        ]
    )
    return table(("what", "figure"), [list(row) for row in rows])


def _loads(served: Mapping[str, Any]) -> Iterator[tuple[str, int, float]]:
    """Each kind of load on the server as it is: its name, clients, and times one's median."""
    for name in LOADS:
        found = served[WAYS[0][0]][name]
        yield name, found["many"]["clients"], found["times one's p50"]["p50"]


def written(page: str) -> str:
    """The page with the figures of today's files."""
    for make in (summary, kills, inputs, soaked, load):
        page = put_between_markers(page, make.__name__, make())
    return page


def main() -> None:
    """Writes the page."""
    text = written(PAGE.read_text(encoding="utf-8"))
    with written_whole(PAGE) as part:
        part.write_text(text, encoding="utf-8")
    print(f"Page: {PAGE}")


if __name__ == "__main__":
    main()
