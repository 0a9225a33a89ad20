"""`add_commands`: commands named in a table, each imported from a small file of its own."""

from collections.abc import Mapping
from importlib import import_module

import typer


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
            app.command(name)(command)
    return app
