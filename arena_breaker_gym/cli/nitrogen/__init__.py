"""`arena-breaker nitrogen`: the student's checkpoints, its training and its server."""

from importlib import import_module

import typer

# Each command's name and where its function stands: one small file a command.
COMMANDS = {
    "info": "arena_breaker_gym.cli.nitrogen.info:info",
    "serve": "arena_breaker_gym.cli.nitrogen.serve:serve",
    "balance": "arena_breaker_gym.cli.nitrogen.labels:balance",
    "export": "arena_breaker_gym.cli.nitrogen.labels:export",
    "posttrain": "arena_breaker_gym.cli.nitrogen.posttrain:posttrain",
}


def build() -> typer.Typer:
    """The group with all its commands."""
    group = typer.Typer(
        help="NitroGen checkpoints: look into them, train them, serve them.",
        no_args_is_help=True,
    )
    group.callback()(lambda: None)  # so that a single command would still be called by its name
    for name, place in COMMANDS.items():
        module, _, attribute = place.partition(":")
        group.command(name)(getattr(import_module(module), attribute))
    return group


nitrogen = build()
