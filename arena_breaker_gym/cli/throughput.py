"""`arena-breaker throughput`: how fast this machine plays, beside peers and an earlier run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.report import bar, print_json, print_tables, say_where
from arena_breaker_gym.throughput.run import Part

if TYPE_CHECKING:
    from arena_breaker_gym.throughput.results import ThroughputResults
    from arena_breaker_gym.throughput.run import ThroughputConfig

INTERRUPTED = (
    "Readings of one run belong together: run the command again for a whole one; with --out "
    "DIR the rounds that were finished are kept."
)


_BESIDE_FILE, _BESIDE_CHECKOUT = 0.25, 0.03  # tolerances


def throughput(
    *,
    part: Annotated[
        list[Part] | None,
        typer.Option(help="Measure only this part; say it again for more. Default: all."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORDS",
            help="Measure only what has this in its name, such as pixels; say it again for more. "
            "Default: all.",
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="3 short readings a figure and a tenth of the long steps."),
    ] = False,
    rounds: Annotated[
        int | None,
        typer.Option(min=1, help="How often each figure is read. Default: 7, with --quick 3."),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.001, help="Seconds that one reading takes. Default: 0.3, with --quick 0.1."
        ),
    ] = None,
    memory_steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Steps over which memory is watched. Default: 10 million, with --quick a tenth.",
        ),
    ] = None,
    peers: Annotated[
        bool,
        typer.Option("--peers", help="Also measure the other environments that are installed."),
    ] = False,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Also measure this other environment, such as ale, or an adapter file of yours; "
            "say it again for more. Default: none.",
        ),
    ] = None,
    peers_python: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="A Python in which other environments are installed, such as ../ale/bin/python; "
            "say it again for more. Default: this one.",
        ),
    ] = None,
    stored: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Measure nothing; show an earlier run, such as runs/speed/throughput.json. "
            "Default: measure.",
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|FOLDER",
            help="Compare, and exit 1 if something became slower: with an earlier run, such as "
            "runs/speed/throughput.json, or with another checkout of the project, such as "
            "../before, which is then measured in the same rounds. Default: compare with nothing.",
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="With --against: how much slower is fine. Default: 0.25, a quarter, beside a "
            "file; 0.03 beside a checkout.",
        ),
    ] = None,
    cpu_time: Annotated[
        bool,
        typer.Option(
            "--cpu-time",
            help="Time our steps by the processor's time, which other work on the machine does "
            "not lengthen, instead of by the clock; not for more than one thread.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for throughput.json and a plot. Default: nothing is kept."),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the tables as Markdown, for a README.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Measures how fast this machine plays: steps a second, time to start, memory.

    Example: arena-breaker throughput --quick --out runs/speed
    """
    from arena_breaker_gym.throughput.process import PEERS
    from arena_breaker_gym.throughput.results import ThroughputResults
    from arena_breaker_gym.throughput.run import ThroughputConfig

    checkout = against if against is not None and against.is_dir() else None
    before = None if against is None or checkout else ThroughputResults.load(against)
    if stored is not None:
        results = ThroughputResults.load(stored)
    else:
        terms = ThroughputConfig.of(
            quick=quick,
            parts=tuple(part or Part),
            only=tuple(only or ()),
            rounds=rounds,
            seconds=seconds,
            memory_steps=memory_steps,
            peers=tuple(peer or (PEERS if peers else ())),
            pythons=tuple(peers_python or ()),
            against=str(checkout or ""),
            cpu_time=cpu_time,
        )
        results = _measure(terms, out)
    near = _BESIDE_CHECKOUT if tolerance is None else tolerance
    _show(results, json=json, markdown=markdown, tolerance=near)
    _keep(results, out)
    if before is not None:
        _judge(results, before, _BESIDE_FILE if tolerance is None else tolerance)
    elif checkout is not None:
        _judge_pairs(results, near)


def _measure(terms: "ThroughputConfig", out: Path | None) -> "ThroughputResults":
    from arena_breaker_gym.throughput.run import run

    with bar(resume=INTERRUPTED) as advance:
        return run(terms, out=out, watch=advance)


def _show(results: "ThroughputResults", *, json: bool, markdown: bool, tolerance: float) -> None:
    from arena_breaker_gym.throughput import table
    from arena_breaker_gym.throughput.results import paired

    tables = [table.own_table(results)]
    if paired(results.rows):
        tables.append(table.paired_table(results, tolerance=tolerance))
    if any(row.peer for row in results.rows):
        tables.append(table.peers_table(results))
    if json:
        print_json(results.to_dict())
    elif markdown:
        typer.echo("\n".join(map(table.markdown, tables)))
    else:
        print_tables(*tables)
    for sentence in table.sentences(results.peers):
        typer.echo(sentence, err=True)


def _keep(results: "ThroughputResults", out: Path | None) -> None:
    from arena_breaker_gym._runtime.extras import MissingExtraError
    from arena_breaker_gym.throughput.table import plot

    if out is not None:
        path = results.save(out)
        try:
            say_where("Plot", plot(results, out))
        except MissingExtraError as missing:
            typer.echo(f"No plot was drawn. {missing}", err=True)
    say_where("ThroughputResults", None if out is None else path)


def _judge(results: "ThroughputResults", before: "ThroughputResults", tolerance: float) -> None:
    from arena_breaker_gym.throughput.results import compare

    found = compare(results, before, tolerance=tolerance)
    for sentence in found.regressions:
        typer.echo(f"Error: {sentence}", err=True)
    if not found.compared:
        raise ValueError("The two runs have no figure in common that can be compared.")
    if found.regressions:
        raise typer.Exit(1)
    typer.echo(f"None of {found.compared} figures is worse by more than {tolerance:.0%}.", err=True)


def _judge_pairs(results: "ThroughputResults", tolerance: float) -> None:
    from arena_breaker_gym.throughput.results import paired, slower

    found = slower(results.rows, tolerance=tolerance)
    for sentence in found:
        typer.echo(f"Error: {sentence}", err=True)
    if found:
        raise typer.Exit(1)
    count = len(paired(results.rows))
    typer.echo(f"None of {count} figures is slower than there beyond noise.", err=True)
