"""`arena-breaker nitrogen pretrain`: makes a base, a student that has played in other looks."""

from pathlib import Path
from typing import Annotated

import typer

from arena_breaker_gym.cli.progress import bar
from arena_breaker_gym.cli.report import say_where


def pretrain(
    out: Annotated[
        Path,
        typer.Option(help="Folder of the base. Run the command again with it to continue."),
    ] = Path("runs/base"),
    rounds: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Stop after so many rounds of play and training in all, such as 100. A round is "
            "24,576 examples. Default: 2083.",
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(help="Checkpoint to begin with. Default: fresh weights, which know nothing."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Of all chance: weights, games and choices.")
    ] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Threads that compute.")] = 2,
) -> None:
    """Makes a base, in hours: the student plays from pictures, the expert says what it would do.

    Example: arena-breaker nitrogen pretrain --out runs/base --rounds 100
    """
    from arena_breaker_gym._runtime.extras import require

    require("torch", "nitrogen")
    from arena_breaker_gym.distillation.pretraining import Pretraining, PretrainingConfig

    config = PretrainingConfig(seed=seed)
    resume = f"What was learned is in {out}; run the same command again to continue."
    with bar(resume=resume) as advance:
        base = Pretraining(out, config, start=start, num_threads=threads).run(
            advance, until_round=rounds
        )
    say_where("Base", base)
    say_where("Curves", out / "tensorboard")
