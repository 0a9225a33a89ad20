"""`arena-breaker nitrogen info`: what is in a checkpoint, and what training it would change.

`summary` says the same for scripts: sizes, parameters by part, what is trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.report import print_json

if TYPE_CHECKING:
    from nitrogen_adapter.model import NitroGen

PARTS: Mapping[str, str] = MappingProxyType(
    {
        "vision_encoder": "vision tower",
        "vl_self_attention_model": "VL self-attention",
        "model": "action transformer",
        "action_encoder": "action encoder",
        "action_decoder": "action decoder",
        "position_embedding": "action positions",
        "game_embedding": "games",
    }
)
"""The parts of a model: how the names of their parameters begin, and what people call them."""


def summary(model: NitroGen) -> dict[str, Any]:
    """Return what is in a model, as plain JSON values.

    Args:
        model: any.

    Returns:
        `config` (the public form), `parameters` (`total`, `by_part` and `trained`, by split).
    """
    from nitrogen_adapter.splits import SPLITS  # with torch, which help does not wait for

    by_part = {
        words: sum(p.numel() for p in getattr(model, name).parameters())
        for name, words in PARTS.items()
        if hasattr(model, name)
    }
    return {
        "config": model.config.to_dict(),
        "parameters": {
            "total": model.num_parameters(),
            "by_part": by_part,
            "trained": {split: int(model.trainable_parameters(split)) for split in SPLITS},
        },
    }


def info(
    file: Annotated[
        str,
        typer.Argument(
            help="A checkpoint such as ng.pt, or a model by its name: base, student, tiny, "
            "nitrogen_500m."
        ),
    ],
    json: options.Json = False,
) -> None:
    """Says what is in a checkpoint: its sizes, its parameters, and which of them would learn.

    Example: arena-breaker nitrogen info ng.pt
    """
    from arena_breaker_gym._runtime.extras import require

    require("torch", "nitrogen")
    from nitrogen_adapter import NitroGen
    from nitrogen_adapter.presets import file_of

    path = file_of(file)
    model = NitroGen.from_checkpoint(path) if path else NitroGen.preset(file, device="meta")
    found = summary(model)
    if json:
        print_json(found)
    else:
        _print(file, found)


def _print(file: str, found: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    counts = found["parameters"]
    console = Console(highlight=False)
    console.print(f"[bold]{file}[/bold]: {counts['total']:,} parameters")
    sizes = Table("entry", "value", title="Configuration", title_justify="left")
    for entry, value in _flat(found["config"]):
        sizes.add_row(entry, str(value))
    parts = Table("part", "parameters", title="By part", title_justify="left")
    for part, count in counts["by_part"].items():
        parts.add_row(part, f"{count:,}")
    trained = Table("split", "trained", "share", title="Post-training", title_justify="left")
    for split, count in counts["trained"].items():
        trained.add_row(split, f"{count:,}", f"{count / counts['total']:.1%}")
    for table in (sizes, parts, trained):
        table.columns[1].justify = "left" if table is sizes else "right"
        console.print(table)


def _flat(config: Mapping[str, object], above: str = "") -> list[tuple[str, Any]]:
    """Nested entries as dotted names with their values."""
    entries: list[tuple[str, Any]] = []
    for name, value in config.items():
        dotted = f"{above}{name}"
        entries += _flat(value, f"{dotted}.") if isinstance(value, Mapping) else [(dotted, value)]
    return entries
