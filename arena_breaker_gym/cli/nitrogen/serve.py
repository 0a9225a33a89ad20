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
    checkpoint: Annotated[Path, typer.Argument(help="The checkpoint that answers, such as ng.pt.")],
    *,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on: this machine alone, or 0.0.0.0 for others as well; there "
            "is no password."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")
    ] = 5555,
    device: Annotated[
        str | None,
        typer.Option(help="Where it computes: cpu, cuda, cuda:1. Default: a GPU if there is one."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Denoising steps for a prediction: fewer are quicker and coarser. Default: the "
            "checkpoint's own.",
        ),
    ] = None,
    guidance: Annotated[
        float,
        typer.Option(
            help="For a model that sees several frames: how strongly the earlier ones guide it, "
            "such as 1.5; 1: as it was trained."
        ),
    ] = 1.0,
    game: Annotated[
        str | None,
        typer.Option(
            help="What is played, for a model that tells games apart. Default: nothing is said."
        ),
    ] = None,
    dtype: Annotated[
        Number | None,
        typer.Option(
            help="How exactly it computes. Default: bfloat16 on a GPU, else as the checkpoint has "
            "it."
        ),
    ] = None,
    compile: Annotated[
        bool,
        typer.Option(
            "--compile",
            help="Let PyTorch compile the model: faster, after a slow first prediction.",
        ),
    ] = False,
    max_batch: Annotated[
        int, typer.Option(min=1, help="Pictures of all clients that share a forward pass.")
    ] = 64,
    max_queue: Annotated[
        int,
        typer.Option(min=1, help="Requests that may wait; any more are told to ask later."),
    ] = 256,
    log_every: Annotated[
        float,
        typer.Option(
            min=0.1,
            help="Seconds after which the log has requests, latencies and forward passes.",
        ),
    ] = 60.0,
) -> None:
    """Answers other programs that send pictures with the gamepad that they call for, until Ctrl-C.

    Clients are agents such as nitrogen:tcp://127.0.0.1:5555, and NitroGen's
    own public ones. Requests that come while the model is busy share its
    next forward pass.

    Example: arena-breaker nitrogen serve ng.pt --port 5555
    """
    from arena_breaker_gym._runtime.extras import require

    torch = require("torch", "nitrogen")
    require("zmq", "nitrogen")
    from nitrogen_adapter import NitroGen
    from nitrogen_adapter.inference import LocalPredictor
    from nitrogen_adapter.remote.server import NitroGenServer

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("nitrogen_adapter").setLevel(logging.INFO)
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
    with NitroGenServer(
        predictor,
        host=host,
        port=port,
        checkpoint=str(checkpoint),
        max_batch=max_batch,
        max_queue=max_queue,
        log_every_s=log_every,
    ) as server:
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
