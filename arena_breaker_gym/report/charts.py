"""The page's charts, except places of death: kills, learning curves, aim sticks, survival.

A chart is what Plotly's JSON says. Its colours of text and lines come from the page, which knows
whether it is dark.
"""

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym.engine.player import FIRE_THRESHOLD
from arena_breaker_gym.report.report import Curve, CurveLine, Report
from arena_breaker_gym.report.table import labels_of
from arena_breaker_gym.rollout.episode import COMPLETED, Episode
from arena_breaker_gym.rollout.metrics import Row

# Told apart by most eyes, on white and on black alike.
COLOURS = (
    "#3b8eea",
    "#f28e2b",
    "#2fa56b",
    "#e4576b",
    "#9a7be0",
    "#1fa8b5",
    "#b8892f",
    "#d973b5",
)

EXTRA = "report"
HEIGHT = 300  # pixels
_BAR, _GAP, _LINE = 18, 8, 18  # pixels of a bar, to the next one's label, and of a label's line
_LETTERS = 46  # of a line that a telephone has room for
_AIM_BINS = 20  # of 0.05, so that the threshold lies between two
_FADED = 0.45  # opacity of bars whose point-blank shots pass through


class Stroke(NamedTuple):
    """How a line is drawn: Plotly's word for its dashes, and the letters like it."""

    dash: str
    mark: str


STROKES = (
    Stroke("solid", "━━"),
    Stroke("dash", "╍╍"),
    Stroke("dot", "┉┉"),
    Stroke("dashdot", "━┉"),
)


class ChartColours:
    """Colours and strokes by name, in the order in which names are first met.

    "student, bug" is a name of the agent "student": it has its colour and a stroke of its own.
    After eight colours and four strokes they repeat.
    """

    def __init__(self, agents: Iterable[str], others: Iterable[str] = ()) -> None:
        """Gives each name its colour and stroke.

        Args:
            agents: Names of agents.
            others: What lines are drawn of: agents, their variants, or anything else.
        """
        known = list(dict.fromkeys(agents))
        self._owners = {name: name for name in known}
        self._strokes: dict[str, Stroke] = {}
        drawn: Counter[str] = Counter()
        for name in dict.fromkeys(others):
            owners = (one for one in known if f"{name}, ".startswith(f"{one}, "))
            owner = self._owners[name] = max(owners, key=len, default=name)
            self._strokes[name] = STROKES[drawn[owner] % len(STROKES)]
            drawn[owner] += 1
        self._colours = {
            owner: COLOURS[index % len(COLOURS)]
            for index, owner in enumerate(dict.fromkeys(self._owners.values()))
        }

    @classmethod
    def of(cls, report: Report) -> "ChartColours":
        """The colours and strokes of all that a report names."""
        lines = [line.name for curve in report.curves for line in curve.lines]
        return cls([str(row["agent"]) for row in report.rows], [*report.episodes, *lines])

    def __getitem__(self, name: str) -> str:
        """A name's colour, as #rrggbb."""
        return self._colours[self._owners[name]]

    def stroke(self, name: str) -> Stroke:
        """How a name's lines are drawn."""
        return self._strokes[name]

    def line(self, name: str) -> dict[str, object]:
        """A name's lines, as Plotly takes it."""
        return {"color": self[name], "dash": self.stroke(name).dash, "width": 2}

    def faint(self, name: str, opacity: float) -> str:
        """A name's colour, seen through, as a fill."""
        red, green, blue = (int(self[name][at : at + 2], 16) for at in (1, 3, 5))
        return f"rgba({red},{green},{blue},{opacity:g})"


@dataclass(frozen=True)
class Key:
    """An entry of a chart's legend: a mark in a colour, and what it stands for."""

    mark: str
    colour: str
    label: str


@dataclass(frozen=True)
class Chart:
    """A chart and the words that go with it.

    Attributes:
        title: Its heading.
        figure: `data` and `layout`, in plain JSON values.
        note: How to read it, or "".
        legend: What its marks stand for; empty where the axis says it.
        height: Pixels; None: as high as it is wide.
        is_wide: Whether it takes the page's whole width.
    """

    title: str
    figure: Mapping[str, object]
    note: str = ""
    legend: Sequence[Key] = ()
    height: int | None = HEIGHT
    is_wide: bool = False


def figure_of(traces: Iterable[object], **layout: object) -> dict[str, Any]:
    """A figure in plain JSON values, from Plotly's traces and layout."""
    objects = require("plotly.graph_objects", EXTRA)
    figure = objects.Figure(list(traces), {"showlegend": False, **layout})
    figure.layout.template = None
    plain: dict[str, object] = json.loads(figure.to_json())
    return plain


def kills_chart(rows: Sequence[Row], palette: ChartColours) -> Chart | None:
    """Kills an episode, a bar a row, with 95 % intervals; None without a played episode."""
    played = [row for row in rows if row["kills"]["mean"] is not None]
    if not played:
        return None
    labels = [_wrapped(", ".join(filter(None, words))) for words in labels_of(played)]
    pitch = _BAR + _GAP + _LINE * max(label.count("<br>") + 1 for label in labels)
    both = len({row["point_blank_fix"] for row in played}) > 1
    figure = figure_of(
        [_kill_bars(played, labels, palette, faded=both, width=_BAR / pitch)],
        annotations=[_above_bar(at, label) for at, label in enumerate(labels)],
        hovermode="closest",
        xaxis={"title": {"text": "kills an episode"}, "rangemode": "tozero"},
        yaxis={"visible": False, "range": [len(played) - 0.75, -0.75], "fixedrange": True},
        margin={"l": 12},
    )
    faded = " Paler bars: point-blank shots pass through (bug)." if both else ""
    note = f"Means over episodes with 95 % intervals.{faded}"
    return Chart("Kills", figure, note, height=56 + pitch * len(played), is_wide=True)


def _wrapped(label: str) -> str:
    """A label in lines that a telephone has room for, as Plotly takes it."""
    return "<br>".join(map(escape, textwrap.wrap(label, _LETTERS)))


def _above_bar(at: int, label: str) -> dict[str, object]:
    place = {"xref": "paper", "x": 0, "xanchor": "left", "y": at, "yanchor": "bottom"}
    return {**place, "yshift": _BAR / 2, "text": label, "align": "left", "showarrow": False}


def _kill_bars(
    rows: Sequence[Row], labels: Sequence[str], palette: ChartColours, *, faded: bool, width: float
) -> object:
    objects = require("plotly.graph_objects", EXTRA)
    kills = [row["kills"] for row in rows]
    full = [not faded or row["point_blank_fix"] for row in rows]
    return objects.Bar(
        orientation="h",
        x=[one["mean"] for one in kills],
        y=list(range(len(rows))),
        width=width,
        marker={
            "color": [palette[str(row["agent"])] for row in rows],
            "opacity": [1.0 if one else _FADED for one in full],
        },
        error_x={
            "array": [one["high"] - one["mean"] for one in kills],
            "arrayminus": [one["mean"] - one["low"] for one in kills],
            "symmetric": False,
            "thickness": 1.5,
            "width": 4,
        },
        customdata=[
            [label, one["low"], one["high"]] for label, one in zip(labels, kills, strict=True)
        ],
        hovertemplate="%{customdata[0]}<br>%{x:.2f} kills, "
        "%{customdata[1]:.2f} to %{customdata[2]:.2f}<extra></extra>",
    )


def curve_chart(curve: Curve, palette: ChartColours) -> Chart:
    """A chart of lines, some with bands."""
    figure = figure_of(
        [trace for line in curve.lines for trace in _line(line, palette)],
        xaxis={"title": {"text": escape(curve.x_label)}},
        yaxis={"title": {"text": escape(curve.y_label)}},
    )
    banded = any(line.low is not None for line in curve.lines)
    note = "Shaded: the range about each line." if banded else ""
    return Chart(curve.title, figure, note, _legend([line.name for line in curve.lines], palette))


def _legend(names: Iterable[str], palette: ChartColours) -> list[Key]:
    return [Key(palette.stroke(name).mark, palette[name], name) for name in names]


def _line(line: CurveLine, palette: ChartColours) -> list[object]:
    objects = require("plotly.graph_objects", EXTRA)
    x = list(line.x)
    traces = []
    if line.low is not None and line.high is not None:
        traces.append(
            objects.Scatter(
                x=x + x[::-1],
                y=[*line.high, *reversed(line.low)],
                fill="toself",
                fillcolor=palette.faint(line.name, 0.18),
                line={"width": 0},
                mode="lines",
                hoverinfo="skip",
            )
        )
    mode = "lines" if len(x) > 1 else "markers"
    name = escape(line.name)
    traces.append(
        objects.Scatter(x=x, y=list(line.y), mode=mode, line=palette.line(line.name), name=name)
    )
    return traces


def aim_chart(episodes: Mapping[str, Sequence[Episode]], palette: ChartColours) -> Chart | None:
    """How long the aim stick is held, a share of the steps a bin; None without a step."""
    objects = require("plotly.graph_objects", EXTRA)
    edges = np.arange(_AIM_BINS + 1) / _AIM_BINS
    measured = {name: aim_lengths(some) for name, some in episodes.items()}
    measured = {name: lengths for name, lengths in measured.items() if len(lengths)}
    if not measured:
        return None
    traces = []
    for name, lengths in measured.items():
        shares = 100.0 * np.histogram(lengths, edges)[0] / len(lengths)
        traces.append(
            objects.Scatter(
                x=edges.tolist(),
                y=[*shares.tolist(), float(shares[-1])],  # the last step needs an end
                name=escape(name),
                mode="lines",
                line={"shape": "hv", **palette.line(name)},
                fill="tozeroy",
                fillcolor=palette.faint(name, 0.15),
                hovertemplate="from %{x:.2f}: %{y:.1f} %",
            )
        )
    threshold = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "line": {"dash": "dash"}}
    words = {"text": f"fires from {FIRE_THRESHOLD}", "yref": "paper", "y": 1, "showarrow": False}
    figure = figure_of(
        traces,
        shapes=[{**threshold, "x0": FIRE_THRESHOLD, "x1": FIRE_THRESHOLD}],
        annotations=[{**words, "x": FIRE_THRESHOLD, "xanchor": "center", "yanchor": "bottom"}],
        xaxis={"title": {"text": "length of the aim stick"}, "range": [0, 1]},
        yaxis={"title": {"text": "% of steps"}, "rangemode": "tozero"},
        margin={"t": 24},
    )
    note = f"The gun fires while the aim stick is at least {FIRE_THRESHOLD} long (dashed)."
    return Chart("How far the aim stick is pushed", figure, note, _legend(measured, palette))


def aim_lengths(episodes: Sequence[Episode]) -> NDArray[np.float64]:
    """(n,) lengths of the aim stick in every step, at most 1, as the game takes them."""
    sticks = [one.actions[:, 2:4] for one in episodes if not one.failed]
    if not sticks:
        return np.zeros(0)
    along_x, along_z = np.concatenate(sticks).T.astype(np.float64)
    lengths: NDArray[np.float64] = np.minimum(np.hypot(along_x, along_z), 1.0)
    return lengths


def survival_chart(
    episodes: Mapping[str, Sequence[Episode]], palette: ChartColours
) -> Chart | None:
    """The share that is alive after so many seconds; None without a played episode."""
    objects = require("plotly.graph_objects", EXTRA)
    played = {name: survival(some) for name, some in episodes.items()}
    played = {name: curve for name, curve in played.items() if len(curve[0])}
    if not played:
        return None
    latest = max(float(seconds[-1]) for seconds, _ in played.values())
    traces = [
        objects.Scatter(
            x=seconds.tolist(),
            y=(100.0 * shares).tolist(),
            name=escape(name),
            mode="lines",
            line={"shape": "hv", **palette.line(name)},
            hovertemplate="%{y:.0f} %",
        )
        for name, (seconds, shares) in played.items()
    ]
    figure = figure_of(
        traces,
        xaxis={"title": {"text": "seconds"}, "range": [0, 1.02 * latest]},
        yaxis={"title": {"text": "% alive"}, "range": [0, 104]},
    )
    note = (
        "Share of episodes in which the player still lives (Kaplan-Meier: one that is cut off "
        "counts until then). A player who wins lives on."
    )
    return Chart("Survival", figure, note, _legend(played, palette))


def survival(episodes: Sequence[Episode]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The Kaplan-Meier estimate of who is alive.

    Args:
        episodes: Those in which the agent failed are left out.

    Returns:
        (n,) seconds, rising from 0, and (n,) the share alive from each on; the last is when
        the longest episode ended.
    """
    played = [one for one in episodes if not one.failed]
    if not played:
        return np.zeros(0), np.zeros(0)
    ends = np.array([one.metrics["survival_seconds"] for one in played])
    died = np.array([is_death(one) for one in played])
    won = np.array([one.metrics["victory"] > 0 for one in played])
    seconds, shares = [0.0], [1.0]
    for second in np.unique(ends[died]):
        at_risk = np.count_nonzero((ends >= second) | won)
        deaths = np.count_nonzero(died & (ends == second))
        seconds.append(float(second))
        shares.append(shares[-1] * (1.0 - deaths / at_risk))
    if ends.max() > seconds[-1]:
        seconds.append(float(ends.max()))
        shares.append(shares[-1])
    return np.array(seconds), np.array(shares)


def is_death(episode: Episode) -> bool:
    """Whether the player was killed at the end."""
    return episode.status == COMPLETED and not episode.metrics["victory"]
