"""`arena-breaker throughput`: how fast this machine plays, beside peers and an earlier run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.progress import bar
from arena_breaker_gym.cli.report import print_json, print_tables, say_where
from arena_breaker_gym.throughput.terms import Part

if TYPE_CHECKING:
    from arena_breaker_gym.throughput.results import Results
    from arena_breaker_gym.throughput.terms import Terms

INTERRUPTED = (
    "Readings of one run belong together: run the command again for a whole one; with --out "
    "DIR the rounds that were finished are kept."
)


def throughput(
    *,
    part: Annotated[
        list[Part] | None, typer.Option(help="Measure only this part of ours; again for more.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORDS", help="Measure only ours with this in their name; again for more."
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="3 rounds, short readings, a tenth of the long steps.")
    ] = False,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Readings of each figure; 7, or 3 if quick.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=0.001, help="Seconds of a reading; 0.3, or 0.1 if quick."),
    ] = None,
    memory_steps: Annotated[
        int | None,
        typer.Option(min=1, help="Steps over which memory is watched; 10 million."),
    ] = None,
    peers: Annotated[
        bool, typer.Option("--peers", help="Also measure every other environment installed.")
    ] = False,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Only this one of them, such as ale, or an adapter of your own; again for more.",
        ),
    ] = None,
    peers_python: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="Python in which peers are installed; again for more."),
    ] = None,
    stored: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Measure nothing; show this earlier run."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Earlier run to hold this one against; status 1 if something became slower.",
        ),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0.0, help="Share by which a step may take longer than it did.")
    ] = 0.25,
    out: Annotated[
        Path | None, typer.Option(help="Folder for throughput.json and a plot, throughput.png.")
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the tables as Markdown.")
    ] = False,
    json: options.Json = False,
) -> None:
    """How fast this machine plays: steps a second, starting, memory, beside peers and before."""
    from arena_breaker_gym.throughput.peers import PEERS
    from arena_breaker_gym.throughput.results import Results
    from arena_breaker_gym.throughput.terms import Terms

    before = None if against is None else Results.load(against)
    if stored is not None:
        results = Results.load(stored)
    else:
        terms = Terms.of(
            quick=quick,
            parts=tuple(part or Part),
            only=tuple(only or ()),
            rounds=rounds,
            seconds=seconds,
            memory_steps=memory_steps,
            peers=tuple(peer or (PEERS if peers else ())),
            pythons=tuple(peers_python or ()),
        )
        results = _measure(terms, out)
    _show(results, json=json, markdown=markdown)
    _keep(results, out)
    if before is not None:
        _judge(results, before, tolerance)


def _measure(terms: "Terms", out: Path | None) -> "Results":
    from arena_breaker_gym.throughput.run import run

    with bar(resume=INTERRUPTED) as advance:
        return run(terms, out=out, watch=advance)


def _show(results: "Results", *, json: bool, markdown: bool) -> None:
    from arena_breaker_gym.throughput import table

    tables = [table.own_table(results)]
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


def _keep(results: "Results", out: Path | None) -> None:
    from arena_breaker_gym.extras import MissingExtraError
    from arena_breaker_gym.throughput.plot import plot

    if out is not None:
        path = results.save(out)
        try:
            say_where("Plot", plot(results, out))
        except MissingExtraError as missing:
            typer.echo(f"No plot was drawn. {missing}", err=True)
    say_where("Results", None if out is None else path)


def _judge(results: "Results", before: "Results", tolerance: float) -> None:
    from arena_breaker_gym.throughput.gate import compare

    found = compare(results, before, tolerance=tolerance)
    for sentence in found.regressions:
        typer.echo(f"Error: {sentence}", err=True)
    if not found.compared:
        raise ValueError("The two runs have no figure in common that can be compared.")
    if found.regressions:
        raise typer.Exit(1)
    typer.echo(f"None of {found.compared} figures is worse by more than {tolerance:.0%}.", err=True)
