"""`Palette`: one colour an agent, the same in every chart of a page."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from arena_breaker_gym.report.report import Report

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


class Palette:
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
    def of(cls, report: Report) -> "Palette":
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
