"""`arena-breaker benchmark`: several agents on equal seeds and settings, in one table."""

import functools
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.report import (
    bar,
    how_to_resume,
    keep_page,
    print_json,
    print_table,
    say_where,
    this_command,
)
from arena_breaker_gym.settings import MAX_EPISODE_STEPS


def benchmark(
    agents: Annotated[list[str], typer.Argument(help=options.AGENT_HELP)],
    *,
    episodes: options.Episodes = 50,
    seed: options.Seed = 0,
    stage: Annotated[
        list[int] | None,
        typer.Option(
            help="Stage on which episodes begin, 1, 2 or 3; say it again to measure on several, "
            "as in "
            "--stage 1 --stage 3. Default: 1."
        ),
    ] = None,
    num_envs: options.Arenas = None,
    max_steps: options.Steps = MAX_EPISODE_STEPS,
    latency: options.Latency = None,
    stages: options.StageFiles = None,
    point_blank_fix: options.Fix = True,
    skin: options.Skin = "default",
    backend: options.BackendName = "local",
    ray_address: options.RayAddress = None,
    workers: options.Workers = None,
    pixel_size: options.PixelSize = None,
    out: options.Out = None,
    json: options.Json = False,
) -> None:
    """Measures agents on the same seeds and settings, and shows them side by side.

    With --out the table is also kept as results.json, and the episodes beside it.

    Example: arena-breaker benchmark idle random scripted -n 20 --out runs/compared
    """
    from arena_breaker_agents.registry import costs_money, label_of, make_agent
    from arena_breaker_gym.report.report import FILE_NAME as PAGE_NAME
    from arena_breaker_gym.report.report import benchmark_report
    from arena_breaker_gym.rollout import Progress
    from arena_breaker_gym.rollout.benchmark import BenchmarkConfig
    from arena_breaker_gym.rollout.benchmark import benchmark as measure
    from arena_breaker_gym.rollout.episode import latency_from
    from arena_breaker_gym.rollout.results import FILE_NAME

    paid = [name for name in agents if costs_money(name)]
    if paid and out is None:
        raise ValueError(
            f"{paid[0]} costs money: name a folder with --out, to keep what it bought."
        )
    terms = BenchmarkConfig(
        episodes=episodes,
        seed=seed,
        settings=options.settings_from(
            stages, fix=point_blank_fix, skin=skin, pixel_size=pixel_size
        ),
        own_pixel_size=pixel_size is None,
        stages=tuple(stage or (1,)),
        max_steps=max_steps,
        num_envs=num_envs,
        latency=latency_from(latency),
    )
    makers = {name: functools.partial(make_agent, name) for name in agents}
    parts = [(name, number) for name in makers for number in terms.stages]
    chosen = options.opened_backend(backend, address=ray_address, workers=workers)
    with bar(resume=how_to_resume(out)) as advance, chosen as player:

        def show(name: str, number: int, progress: Progress) -> None:
            share = (parts.index((name, number)) + progress.share) / len(parts)
            advance(f"{name}, stage {number}: {progress.done} of {progress.total} episodes", share)

        results = measure(makers, terms, out=out, backend=player, watch=show, label=label_of)
    if json:
        print_json(results.to_dict())
    else:
        print_table(results.rows)
    say_where("Results", None if out is None else out / FILE_NAME)
    if out is not None:
        named = [name for name, _ in parts]  # rows may call an agent otherwise than its folder
        page = benchmark_report(results, out, kept_as=named, command=this_command())
        keep_page(page, out / PAGE_NAME)
    _check_played(results.rows)


def _check_played(rows: Sequence[Mapping[str, Any]]) -> None:
    """Ends with status 1 where an agent failed in all its episodes: its row says nothing."""
    from arena_breaker_gym.rollout.episode import AGENT_FAILED

    for row in rows:
        if row["status"].get(AGENT_FAILED) == row["episodes"]:
            typer.echo(
                f"Error: {row['agent']} failed in every episode on stage {row['stage']} "
                f"({row['episodes']}).",
                err=True,
            )
            raise typer.Exit(1)
