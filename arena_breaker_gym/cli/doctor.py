"""`arena-breaker doctor`: what is installed, what is missing, and whether the game plays."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.report import print_json, print_tables

if TYPE_CHECKING:
    from rich.table import Table

    from arena_breaker_gym.doctor import Finding

COLOURS = {"ok": "green", "warning": "yellow", "fault": "red"}


def doctor(json: options.Json = False) -> None:
    """Looks at this installation and says what helps where something is amiss; exits 1 for a fault.

    A warning is something that will not work or not well while the rest does; a fault keeps the
    game itself from working.

    Example: arena-breaker doctor
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    from arena_breaker_gym.doctor import FAULT, WARNING, examine

    findings = examine()
    faults = sum(one.status == FAULT for one in findings)
    warnings = sum(one.status == WARNING for one in findings)
    if json:
        print_json({"faults": faults, "warnings": warnings, "checks": list(map(vars, findings))})
    else:
        print_tables(_table(findings))
        typer.echo(f"{_counted(faults, 'fault')}, {_counted(warnings, 'warning')}.")
    if faults:
        raise typer.Exit(1)


def _counted(number: int, noun: str) -> str:
    return f"{number or 'No'} {noun}{'' if number == 1 else 's'}"


def _table(findings: "Sequence[Finding]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table("", "state", "found, and what helps")
    for one in findings:
        words = Text(one.words, overflow="fold")
        if one.remedy:
            words.append(f"\n→ {one.remedy}", style="bold")
        table.add_row(one.name, Text(one.status, style=COLOURS[one.status]), words)
    return table
