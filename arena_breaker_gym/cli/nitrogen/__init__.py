"""`arena-breaker nitrogen`: the student's checkpoints, its training and its server."""

import typer

from arena_breaker_gym.cli import add_commands
from arena_breaker_gym.cli.help import HelpGroup

# Each command's name and where its function stands: one small file a command.
COMMANDS = {
    "info": "arena_breaker_gym.cli.nitrogen.info:info",
    "serve": "arena_breaker_gym.cli.nitrogen.serve:serve",
    "balance": "arena_breaker_gym.cli.nitrogen.labels:balance",
    "export": "arena_breaker_gym.cli.nitrogen.labels:export",
    "pretrain": "arena_breaker_gym.cli.nitrogen.training:pretrain",
    "posttrain": "arena_breaker_gym.cli.nitrogen.training:posttrain",
}


nitrogen = add_commands(
    typer.Typer(
        cls=HelpGroup,
        help="NitroGen's kind of model, which turns pictures into a gamepad: look into one, "
        "train it, let it answer other programs.",
        epilog="Example: arena-breaker nitrogen info ng.pt",
        no_args_is_help=True,
    ),
    COMMANDS,
)
