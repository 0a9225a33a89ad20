"""`arena-breaker nitrogen serve`: a checkpoint that predicts for clients on a network."""

import logging
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import torch


class Number(StrEnum):
    """What `--dtype` may say; PyTorch calls them the same."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


def serve(
    checkpoint: Annotated[Path, typer.Argument(help="The checkpoint to serve.")],
    *,
    host: Annotated[
        str, typer.Option(help="Interface to listen on; 0.0.0.0 lets other machines ask.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 5555,
    device: Annotated[
        str | None, typer.Option(help="Where it runs, as PyTorch says it; default: CUDA, else CPU.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Denoising steps; default: the checkpoint's.")
    ] = None,
    guidance: Annotated[float, typer.Option(help="Stress on earlier frames; 1: none.")] = 1.0,
    game: Annotated[
        str | None, typer.Option(help="What is played, for a model that was told games apart.")
    ] = None,
    dtype: Annotated[
        Number | None, typer.Option(help="Of the computation; default: bfloat16 on CUDA.")
    ] = None,
    compile: Annotated[
        bool, typer.Option("--compile", help="Faster, after a slow first prediction.")
    ] = False,
) -> None:
    """Serves predictions to clients of this package and of NitroGen's public code, until Ctrl-C."""
    from arena_breaker_gym.extras import require

    torch = require("torch", "nitrogen")
    require("zmq", "nitrogen")
    from nitrogen_adapter import NitroGen
    from nitrogen_adapter.inference import LocalPredictor
    from nitrogen_adapter.remote.server import NitroGenServer

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    place = _device(device)
    predictor = LocalPredictor(
        NitroGen.from_checkpoint(checkpoint),
        name=checkpoint.stem,
        device=place,
        steps=steps,
        guidance=guidance,
        game=game,
        dtype=None if dtype is None else getattr(torch, dtype.value),
        compile=compile,
    )
    with NitroGenServer(predictor, host=host, port=port, checkpoint=str(checkpoint)) as server:
        typer.echo(f"{checkpoint} listens at {server.address} on {place}; Ctrl-C ends it.")
        server.serve()


def _device(name: str | None) -> "torch.device":
    """The device of that name, or the best there is.

    Raises:
        ValueError: If this machine has none of that name.
    """
    import torch

    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    # PyTorch fails in a different way for each kind of device that is missing.
    except Exception as error:
        raise ValueError(f"There is no device {name!r} on this machine.") from error
    return device
