"""`arena-breaker rollout`: one agent plays episodes, kept to be replayed, filmed or trained on."""

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.report import bar, how_to_resume, print_json, print_table, say_where
from arena_breaker_gym.settings import MAX_EPISODE_STEPS

if TYPE_CHECKING:
    from arena_breaker_gym.rollout import Agent, Episode
    from arena_breaker_gym.rollout.backends import Backend
    from arena_breaker_gym.rollout.episode import Latency
    from arena_breaker_gym.settings import Settings

EPISODES = 10


@dataclass(frozen=True, kw_only=True)
class _Terms:
    """What is played."""

    episodes: int
    seed: int
    settings: "Settings"
    stage: Sequence[int] | None
    max_steps: int
    num_envs: int | None
    latency: "Latency"
    keep_snapshots: bool
    retry_failed: bool
    backend: "Backend"


def rollout(
    agent: Annotated[str | None, typer.Argument(help=options.AGENT_HELP)] = None,
    *,
    agent_option: Annotated[
        str | None,
        typer.Option("--agent", metavar="AGENT", help="The agent, as an option: --agent idle."),
    ] = None,
    episodes: Annotated[
        int | None,
        typer.Option(
            "--episodes", "-n", min=1, help=f"How many episodes to play. Default: {EPISODES}."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Seed of the first episode; the second has one more. Default: 0."),
    ] = None,
    stage: Annotated[
        list[int] | None,
        typer.Option(
            help="Stage on which episodes begin, 1, 2 or 3; say it again for episodes to take "
            "several in "
            "turn, as in --stage 1 --stage 2. Default: 1."
        ),
    ] = None,
    num_envs: options.Arenas = None,
    max_steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"Longest episode, in steps of 1/30 s. Default: {MAX_EPISODE_STEPS}, two minutes.",
        ),
    ] = None,
    latency: options.Latency = None,
    stages: options.StageFiles = None,
    point_blank_fix: options.MaybeFix = None,
    skin: options.Skin = "default",
    pixel_size: options.PixelSize = None,
    keep_snapshots: Annotated[
        bool,
        typer.Option(
            help="Keep the JSON that the agent was shown in the episodes, too. Default: no.",
            show_default=False,
        ),
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option(
            help="With --out: play the episodes again in which the agent failed. Default: no.",
            show_default=False,
        ),
    ] = False,
    budget: options.Budget = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            help="Play nothing; say what an agent that costs money would cost. Default: no.",
            show_default=False,
        ),
    ] = False,
    backend: options.BackendName = "local",
    ray_address: options.RayAddress = None,
    workers: options.Workers = None,
    out: options.Out = None,
    json: options.Json = False,
) -> None:
    """Lets one agent play; with --out its episodes are kept, to be filmed or learned from.

    replay:TRANSCRIPT plays the same stages and seeds as the run that wrote the transcript, unless
    options say otherwise.

    Example: arena-breaker rollout scripted -n 5 --out runs/demo
    """
    from arena_breaker_agents.registry import limited, make_agent
    from arena_breaker_gym.rollout.agent import pixel_size_of
    from arena_breaker_gym.rollout.episode import latency_from
    from arena_breaker_gym.settings import Settings

    name = _one_of(agent, agent_option)
    charge = latency_from(latency)
    chosen = options.opened_backend(backend, address=ray_address, workers=workers)
    with chosen as place, contextlib.closing(make_agent(name)) as player:
        limited(player, budget, name=name)
        usual = _usual(player)
        game = usual["settings"]
        if pixel_size is None:
            pixel_size = pixel_size_of(player, Settings.pixel_size)
        fix = game["point_blank_fix"] if point_blank_fix is None else point_blank_fix
        terms = _Terms(
            episodes=episodes or usual["episodes"],
            seed=usual["seed"] if seed is None else seed,
            settings=options.settings_from(
                stages or game["stages"], fix=fix, skin=skin, pixel_size=pixel_size
            ),
            stage=stage or usual["stage"],
            max_steps=max_steps or usual["max_steps"],
            num_envs=num_envs,
            latency=usual["latency"] if charge is None else charge,
            keep_snapshots=keep_snapshots,
            retry_failed=retry_failed,
            backend=place,
        )
        if dry_run:
            _estimate(name, player, terms, json=json)
        else:
            _play(name, player, terms, out=out or _own_folder(player), json=json)


def _one_of(argument: str | None, option: str | None) -> str:
    if (argument is None) == (option is None):
        raise typer.BadParameter("Name one agent, as in: rollout scripted, or --agent scripted.")
    return argument or option or ""


def _usual(player: "Agent") -> Mapping[str, Any]:
    """What is played where nothing is said: a replay plays what its transcript's run did."""
    usual = {
        "episodes": EPISODES,
        "seed": 0,
        "stage": None,
        "max_steps": MAX_EPISODE_STEPS,
        "settings": {"stages": None, "point_blank_fix": True},
        "latency": None,
    }
    return {**usual, **getattr(player, "played", {})}


def _own_folder(player: "Agent") -> Path | None:
    """Where an agent that costs money keeps its episodes when no folder was named."""
    from arena_breaker_agents.registry import Paid

    if not isinstance(player, Paid):
        return None
    when = datetime.now().strftime("%Y-%m-%d-%H%M%S")
    return Path(re.sub(r"[^\w.-]+", "_", f"{player.name} {when}"))


def _play(name: str, player: "Agent", terms: _Terms, *, out: Path | None, json: bool) -> None:
    from arena_breaker_gym.rollout import RunStopped

    stopped = ""
    try:
        played = _episodes(name, player, terms, out)
    except RunStopped as stop:
        if not stop.wanted:
            raise
        played, stopped = stop.episodes, str(stop)
    _report(name, player, played, stopped=stopped, out=out, json=json)


def _episodes(name: str, player: "Agent", terms: _Terms, out: Path | None) -> "list[Episode]":
    from arena_breaker_agents.registry import Paid
    from arena_breaker_gym.rollout import EpisodeStore, Progress
    from arena_breaker_gym.rollout import rollout as play

    # Asked once: the question adds up the whole bill, and `show` is called at every step.
    paid = player if isinstance(player, Paid) else None
    with bar(resume=how_to_resume(out)) as advance:

        def show(progress: Progress) -> None:
            cost = "" if paid is None else f", ${paid.dollars:.2f}"
            advance(f"{name}: {progress.done} of {progress.total} episodes{cost}", progress.share)

        return play(
            player,
            episodes=terms.episodes,
            seed=terms.seed,
            num_envs=terms.num_envs,
            env=terms.settings,
            stage=terms.stage,
            max_steps=terms.max_steps,
            latency=terms.latency,
            recorder=None if out is None else EpisodeStore(out),
            keep_snapshots=terms.keep_snapshots,
            retry_failed=terms.retry_failed,
            backend=terms.backend,
            progress=show,
        )


def _report(
    name: str,
    player: "Agent",
    played: "list[Episode]",
    *,
    stopped: str,
    out: Path | None,
    json: bool,
) -> None:
    from arena_breaker_agents.registry import Paid, label_of
    from arena_breaker_gym.rollout.metrics import rows_of

    rows = rows_of(label_of(name, player), played)
    if json:
        result: dict[str, object] = {"rows": rows, "out": None if out is None else str(out)}
        if isinstance(player, Paid):
            by_seed = {seed: one.to_dict() for seed, one in player.bills.items()}
            cost = {**player.bill.to_dict(), "by_seed": by_seed}
            result |= {"cost": cost, "stopped": stopped or None}
        print_json(result)
    else:
        print_table(rows)
        if isinstance(player, Paid):
            typer.echo(f"{player.bill.sentence()}.")
    if stopped:
        typer.echo(f"{stopped} {how_to_resume(out)}", err=True)
    say_where("Episodes", out)
    if played and all(one.failed for one in played):
        typer.echo(f"Error: the agent failed in every episode ({len(played)}).", err=True)
        raise typer.Exit(1)


def _estimate(name: str, player: "Agent", terms: _Terms, *, json: bool) -> None:
    from arena_breaker_agents.registry import Paid

    if not isinstance(player, Paid):
        raise ValueError(f"Agent {name!r} costs nothing.")
    from arena_breaker_agents.tutor.tutor import Tutor
    from arena_breaker_agents.tutors import estimate
    from arena_breaker_gym.rollout.episode import Plan, stages_from

    assert isinstance(player, Tutor)
    plan = Plan(
        agent=player.name,
        settings=terms.settings,
        seed=terms.seed,
        stages=stages_from(terms.stage, terms.settings),
        max_steps=terms.max_steps,
    )
    found = estimate(player, plan, episodes=terms.episodes)
    if json:
        print_json(found.to_dict())
    else:
        typer.echo(found.sentences())
