"""How far players come, and what kills them.

    python examples/difficulty_study.py                  # plays, then writes data and images
    python examples/difficulty_study.py --redraw         # images and tables from what is there

Five players begin on each of the three stages. Episodes may last 7,200 steps, twice the usual:
a player who clears the campaign needs about 5,500. Interrupted, the same command goes on where
it stopped. Needs the extra `notebooks` for its images.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import matplotlib as mpl
import numpy as np
import typer
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from arena_breaker_agents.registry import make_agent
from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym.cli.report import bar
from arena_breaker_gym.engine.arena import CAUSES
from arena_breaker_gym.engine.tick import ENGINE_VERSION
from arena_breaker_gym.rollout import Episode, EpisodeStore, rollout
from arena_breaker_gym.rollout.metrics import bootstrap_interval, row_of

MAX_STEPS = 7200
STAGES = (1, 2, 3)
KILLERS = tuple(cause for cause in CAUSES if cause)
SHARES = (0.02, 0.50)  # of all deaths: what each killer should cause at least and at most
METRICS = (
    "kills",
    "score",
    "stage_reached",
    "wave_reached",
    "waves_cleared",
    "survival_seconds",
    "victory",
    "damage_taken",
)
# Okabe and Ito's colours, which colour-blind people can tell apart.
COLOURS = {
    "idle": "#999999",
    "random": "#E69F00",
    "scripted": "#0072B2",
    "late planner": "#CC79A7",
    "planner": "#009E73",
}


@dataclass(frozen=True)
class Player:
    """Who plays.

    Attributes:
        label: Its name in tables and images.
        spec: Its name for `make_agent`.
        episodes: How many it plays from each stage.
        latency: Ticks after which its answers take effect; None: the game waits.
        pooled: Whether its deaths are looked at, as those of someone who plays.
    """

    label: str
    spec: str
    episodes: int
    latency: int | None = None
    pooled: bool = True


PLAYERS = (
    Player("idle", "idle", 200, pooled=False),
    Player("random", "random", 200),
    Player("scripted", "scripted", 200),
    Player("late planner", "planner", 40, latency=8),
    Player("planner", "planner", 20),
)
Played = Mapping[tuple[str, int], Sequence[Episode]]


def play(players: Sequence[Player], out: Path, seed: int) -> dict[tuple[str, int], list[Episode]]:
    """All episodes by player and first stage; those that lie in `out` are not played."""
    cells = [(player, stage) for player in players for stage in STAGES]
    played: dict[tuple[str, int], list[Episode]] = {}
    with bar(resume=f"Run the same command again to continue in {out}.") as advance:
        for number, (player, stage) in enumerate(cells):
            agent = make_agent(player.spec)
            words = f"{player.label}, stage {stage}"
            played[player.label, stage] = rollout(
                agent,
                episodes=player.episodes,
                seed=seed,
                stage=stage,
                max_steps=MAX_STEPS,
                env={"observation": "state"},
                latency=player.latency,
                recorder=EpisodeStore(out / words.replace(", ", "_").replace(" ", "_")),
                progress=lambda now, words=words, number=number: advance(
                    words, (number + now.share) / len(cells)
                ),
            )
            agent.close()
    return played


def killer_of(episode: Episode) -> str | None:
    """What killed the player; None if nothing did."""
    words, _, cause = episode.reason.partition("killed by ")
    return None if words else cause


def killers_of(episodes: Sequence[Episode]) -> dict[str, Any]:
    """How many deaths each killer caused, and its share of them with its 95 % interval."""
    deaths = [cause for one in episodes if (cause := killer_of(one)) is not None]
    if not deaths:
        return {"deaths": 0, "killers": {}}
    flags = np.array([[float(cause == killer) for killer in KILLERS] for cause in deaths])
    low, high = bootstrap_interval(flags)
    counts = Counter(deaths)
    return {
        "deaths": len(deaths),
        "killers": {
            killer: {
                "deaths": counts[killer],
                "share": round(counts[killer] / len(deaths), 4),
                "low": round(float(low[column]), 4),
                "high": round(float(high[column]), 4),
            }
            for column, killer in enumerate(KILLERS)
        },
    }


def pooled(players: Sequence[Player], played: Played) -> dict[str, Any]:
    """The deaths of all who play, equally many of each player from each stage.

    A player who hardly ever dies would leave hardly any of the others' deaths, so one who dies
    in fewer than a fifth of the episodes from some stage is left out.
    """
    cells = {}
    for player in players:
        deaths = {
            stage: [one for one in played[player.label, stage] if killer_of(one)]
            for stage in STAGES
        }
        if player.pooled and min(map(len, deaths.values())) >= player.episodes / 5:
            cells[player.label] = deaths
    counts = [len(deaths) for stages in cells.values() for deaths in stages.values()]
    each = min(counts, default=0)
    taken = [
        one for stages in cells.values() for deaths in stages.values() for one in deaths[:each]
    ]
    return {"players": [*cells], "deaths_of_each": each, **killers_of(taken)}


def rows_of(players: Sequence[Player], played: Played) -> list[dict[str, Any]]:
    """A row for each player and first stage."""
    rows = []
    for (label, _), episodes in played.items():
        row = row_of(label, episodes)
        names = ("agent", "stage", "latency", "episodes", "status", *METRICS)
        cleared = np.array([one.metrics["waves_cleared"] for one in episodes])
        beyond = [round(float((cleared >= waves).mean()), 4) for waves in range(15)]
        rows.append(
            {**{name: row[name] for name in names}, "cleared": beyond, **killers_of(episodes)}
        )
    return rows


def study(players: Sequence[Player], played: Played, seed: int) -> dict[str, Any]:
    """All that the page tells."""
    return {
        "command": "python examples/difficulty_study.py",
        "engine_version": ENGINE_VERSION,
        "max_steps": MAX_STEPS,
        "seed": seed,
        "rows": rows_of(players, played),
        "by_player": {
            player.label: killers_of(
                [one for stage in STAGES for one in played[player.label, stage]]
            )
            for player in players
        },
        "pooled": pooled(players, played),
    }


def bare(axes: Axes) -> None:
    """Leaves of the frame what is read."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)


def draw_reach(data: Mapping[str, Any], path: Path) -> None:
    """Share of episodes from stage 1 that clear each wave, a line a player."""
    rows = [row for row in data["rows"] if row["stage"] == 1]
    figure, axes = plt.subplots(figsize=(8.0, 4.2), layout="constrained")
    for row in rows:
        name = row["agent"]
        dashes = "--" if name == "random" else "-"  # it lies on the idle player's line
        axes.step(
            range(15), row["cleared"], dashes, where="mid", color=COLOURS[name], label=name, lw=2.2
        )
    for waves, name in ((0, "stage 1"), (4, "stage 2"), (9, "stage 3")):
        axes.axvline(waves + 0.5, color="#444444", lw=0.8, ls=":")
        axes.text(waves + 0.6, 1.06, name, fontsize=9, color="#444444")
    axes.set(xlabel="waves cleared, at least", ylabel="share of episodes", ylim=(-0.02, 1.12))
    axes.set_xticks(range(15))
    axes.legend(frameon=False, loc="center", bbox_to_anchor=(0.75, 0.55))
    bare(axes)
    save(figure, path)


def draw_killers(data: Mapping[str, Any], path: Path) -> None:
    """What kills each player, a panel a player, and all that are pooled."""
    labels = data["pooled"]["players"]
    panels = [(label, data["by_player"][label]) for label in labels] + [("pooled", data["pooled"])]
    if not data["pooled"]["deaths"]:
        return  # none of these players was asked for, so there is nothing to draw
    figure, rows = plt.subplots(
        1, len(panels), sharey=True, figsize=(2.7 * len(panels), 3.6), layout="constrained"
    )
    for axes, (label, killers) in zip(rows, panels, strict=True):
        draw_panel(axes, f"{label}, {killers['deaths']} deaths", killers["killers"])
    rows[0].set_yticks(range(len(KILLERS)), KILLERS)
    rows[0].invert_yaxis()
    figure.supxlabel("share of deaths, 95 % interval; dotted: 2 % and 50 %", fontsize=10)
    save(figure, path)


def draw_panel(axes: Axes, title: str, killers: Mapping[str, Mapping[str, float]]) -> None:
    """One player's killers."""
    shares = [killers[name]["share"] for name in KILLERS]
    spread = [
        [killers[name]["share"] - killers[name]["low"] for name in KILLERS],
        [killers[name]["high"] - killers[name]["share"] for name in KILLERS],
    ]
    axes.barh(range(len(KILLERS)), shares, color="#56B4E9", height=0.65)
    axes.errorbar(
        shares, range(len(KILLERS)), xerr=spread, fmt="none", ecolor="#222222", elinewidth=1.1
    )
    for share in SHARES:
        axes.axvline(share, color="#D55E00", lw=1.2, ls=":")
    axes.set_xlim(0.0, 1.0)
    axes.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0])
    axes.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1.0))
    axes.set_title(title, fontsize=10)
    bare(axes)


def told(estimate: Mapping[str, float], *, scale: float = 1.0, decimals: int = 1) -> str:
    """An estimate with its interval, as tables have it."""
    middle = estimate.get("mean", estimate.get("share"))
    assert middle is not None
    values = (middle, estimate["low"], estimate["high"])
    middle, low, high = (f"{scale * value:.{decimals}f}" for value in values)
    return f"{middle} [{low}, {high}]"


def print_tables(data: Mapping[str, Any]) -> None:
    """The page's two tables, in Markdown."""
    print("| player | from stage | kills | waves cleared | survival, s | victories, % |")
    print("|---|---|---|---|---|---|")
    for row in data["rows"]:
        cells = [row["agent"], str(row["stage"]), told(row["kills"])]
        cells += [told(row["waves_cleared"], decimals=2), told(row["survival_seconds"])]
        print("|", " | ".join([*cells, told(row["victory"], scale=100.0)]), "|")
    killers = {name: data["by_player"][name] for name in data["pooled"]["players"]}
    killers["pooled"] = data["pooled"]
    heads = [f"{name}, {one['deaths']} deaths" for name, one in killers.items() if one["deaths"]]
    print("\n| killer |", " | ".join(heads), "|")
    print("|---" * (len(heads) + 1) + "|")
    for killer in KILLERS:
        shares = [one["killers"][killer] for one in killers.values() if one["deaths"]]
        print(f"| {killer} |", " | ".join(told(share, scale=100.0) for share in shares), "|")


def save(figure: Any, path: Path) -> None:
    """Writes an image whole, and lets go of the figure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        figure.savefig(part, dpi=130, format="png", metadata={"Software": None})
    plt.close(figure)


def chosen(labels: Sequence[str] | None, share: float) -> list[Player]:
    """Who plays, and how much of what there is to play.

    Raises:
        BadParameter: If no player has that name.
    """
    names = [one.label for one in PLAYERS]
    for label in labels or ():
        if label not in names:
            raise typer.BadParameter(f"There is no player {label!r}, only {', '.join(names)}.")
    return [
        replace(one, episodes=max(round(share * one.episodes), 1))
        for one in PLAYERS
        if not labels or one.label in labels
    ]


def main(
    out: Annotated[Path, typer.Option(help="Folder for all episodes.")] = Path("difficulty_study"),
    seed: Annotated[int, typer.Option(min=0, help="Of the first episode from each stage.")] = 0,
    data: Annotated[Path, typer.Option(help="What came of it, as JSON.")] = Path(
        "docs/data/difficulty.json"
    ),
    images: Annotated[Path, typer.Option(help="Folder for images.")] = Path("docs/images"),
    player: Annotated[list[str] | None, typer.Option(help="Only these; again for more.")] = None,
    share: Annotated[float, typer.Option(min=0.01, max=1.0, help="Of all episodes.")] = 1.0,
    redraw: Annotated[bool, typer.Option("--redraw", help="Only draws the images again.")] = False,
) -> None:
    """Plays what has not been played, counts, and draws."""
    mpl.use("agg")
    if not redraw:
        players = chosen(player, share)
        found = study(players, play(players, out, seed), seed)
        data.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(data) as part:
            part.write_text(json.dumps(found, indent=1) + "\n")
    found = json.loads(data.read_text())
    draw_reach(found, images / "difficulty_reach.png")
    draw_killers(found, images / "difficulty_killers.png")
    print_tables(found)
    print(f"\nFigures: {data}; images: {images}/difficulty_*.png")


if __name__ == "__main__":
    typer.run(main)
