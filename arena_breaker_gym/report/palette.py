"""`Palette`: one colour an agent, the same in every chart of a page."""

from collections.abc import Iterable

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


class Palette:
    """Colours by name, in the order in which names are first met; after eight they repeat."""

    def __init__(self, names: Iterable[str]) -> None:
        """Gives each name its colour."""
        self._colours = {
            name: COLOURS[index % len(COLOURS)] for index, name in enumerate(dict.fromkeys(names))
        }

    @classmethod
    def of(cls, report: Report) -> "Palette":
        """The colours of all that a report names."""
        lines = [line for curve in report.curves for line in curve.lines]
        return cls(
            [
                *(str(row["agent"]) for row in report.rows),
                *report.episodes,
                *(line.name for line in lines),
            ]
        )

    def __getitem__(self, name: str) -> str:
        """A name's colour, as #rrggbb."""
        return self._colours[name]

    def faint(self, name: str, opacity: float) -> str:
        """A name's colour, seen through, as a fill."""
        red, green, blue = (int(self[name][at : at + 2], 16) for at in (1, 3, 5))
        return f"rgba({red},{green},{blue},{opacity:g})"
