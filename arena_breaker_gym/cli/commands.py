"""`add_commands`: commands named in a table, each imported from a small file of its own."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand


class Command(TyperCommand):
    """A command whose help keeps its groups of options where help is plain text.

    Typer shows the groups (`rich_help_panel`) in boxes alone. Of 80 columns those leave 19 for
    what an option does, and cut its default off.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes a section for arguments, one for options, and one for each group of them."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            title = getattr(parameter, "rich_help_panel", None)
            title = title or f"{parameter.param_type_name.capitalize()}s"
            if record := parameter.get_help_record(ctx):
                name, text = record
                text = text.replace("\\[", "[")  # as typer before 0.16 writes it for its boxes
                sections.setdefault(title, []).append((name, text))
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def add_commands(app: typer.Typer, commands: Mapping[str, str]) -> typer.Typer:
    """Adds commands, or groups of them, to a command line.

    Args:
        app: What they are added to.
        commands: By name, where each function or group stands, as "module:attribute".

    Returns:
        The same command line.
    """
    app.callback()(lambda: None)  # so that a single command would still be called by its name
    for name, place in commands.items():
        module, _, attribute = place.partition(":")
        command = getattr(import_module(module), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name, cls=Command)(command)
    return app
