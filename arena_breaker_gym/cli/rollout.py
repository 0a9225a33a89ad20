"""`arena-breaker rollout`: one agent plays episodes, kept to be replayed, filmed or learnt from."""

from typing import Annotated

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.progress import bar
from arena_breaker_gym.cli.report import how_to_resume, print_json, print_table, say_where
from arena_breaker_gym.settings import MAX_EPISODE_STEPS


def rollout(
    agent: Annotated[str, typer.Argument(help=options.AGENT_HELP)],
    *,
    episodes: options.Episodes = 10,
    seed: options.Seed = 0,
    stage: Annotated[
        list[int] | None,
        typer.Option(help="Stage to begin on; again for episodes to take in turn."),
    ] = None,
    num_envs: options.Arenas = None,
    max_steps: options.Steps = MAX_EPISODE_STEPS,
    latency: options.Latency = None,
    stages: options.StageFiles = None,
    point_blank_fix: options.Fix = True,
    skin: options.Skin = "default",
    keep_snapshots: Annotated[
        bool, typer.Option(help="Also keep the snapshots that the agent saw.")
    ] = False,
    out: options.Out = None,
    json: options.Json = False,
) -> None:
    """One agent plays episodes, kept with --out to be replayed, filmed or learnt from."""
    from agents.registry import make_agent
    from arena_breaker_gym.rollout import EpisodeStore, Progress
    from arena_breaker_gym.rollout import rollout as play
    from arena_breaker_gym.rollout.latency import latency_from
    from arena_breaker_gym.rollout.metrics import rows_of

    settings = options.settings_from(stages, fix=point_blank_fix, skin=skin)
    charge = latency_from(latency)
    player = make_agent(agent)
    with bar(resume=how_to_resume(out)) as advance:

        def show(progress: Progress) -> None:
            advance(f"{agent}: {progress.done} of {progress.total} episodes", progress.share)

        try:
            played = play(
                player,
                episodes=episodes,
                seed=seed,
                num_envs=num_envs,
                env=settings,
                stage=stage or None,
                max_steps=max_steps,
                latency=charge,
                recorder=None if out is None else EpisodeStore(out),
                keep_snapshots=keep_snapshots,
                progress=show,
            )
        finally:
            player.close()
    rows = rows_of(agent, played)
    if json:
        print_json({"rows": rows, "out": None if out is None else str(out)})
    else:
        print_table(rows)
    say_where("Episodes", out)
