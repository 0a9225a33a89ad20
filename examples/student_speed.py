"""How many examples a second the laptop student learns from, on one thread; a table.

    python examples/student_speed.py                  # on a quiet machine; half a minute
    python examples/student_speed.py --threads 2

Frames of noise, and noise as what tutor and simulator know of them, stand in for the game's: what
they show costs nothing. A bootcamp's student learns to see in the ways of the last two rows, half
of the time each. The ratio to a product of
large matrices, measured in the same run, tells one machine from another.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from nitrogen_adapter import NitroGen, gamepad
from nitrogen_adapter.data.examples import ArrayExamples, TeacherTargets
from nitrogen_adapter.data.features import cache_features
from nitrogen_adapter.training.alignment import look_ahead
from nitrogen_adapter.training.config import TrainingConfig
from nitrogen_adapter.training.trainer import Trainer, TrainingProgress

COUNT = 1024  # examples
THINGS = 12  # in a frame
MOVES, SENSES = 33, 279  # of the expert
SKIPPED = 5  # steps that warm caches up


def frames() -> ArrayExamples:
    """Examples of the student's size."""
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1.0, 1.0, (COUNT, 18, 5)).astype(np.float32)
    pixels = rng.integers(0, 256, (COUNT, 96, 96, 3), dtype=np.uint8)
    things = rng.random((COUNT, THINGS, 3), dtype=np.float32)
    things[..., 2] = rng.integers(0, 8, (COUNT, THINGS))
    tutor = TeacherTargets(
        *(rng.random((COUNT, numbers), dtype=np.float32) for numbers in (MOVES, 2, SENSES))
    )
    sight = look_ahead(NitroGen.preset("student").eval(), [pixels])
    return ArrayExamples(pixels, gamepad.pack(actions), things, tutor, sight)


def examples_per_second(config: TrainingConfig, steps: int) -> float:
    """The median over steps."""
    model, examples = NitroGen.preset("student"), frames()
    if config.features_are_frozen:
        examples = cache_features(model, examples)
    times: list[float] = []

    def watch(now: TrainingProgress) -> None:
        times.append(time.perf_counter())

    Trainer(model, examples, config).run(watch, until_step=steps + SKIPPED)
    spent = [later - before for before, later in itertools.pairwise(times)]
    return config.batch_size / statistics.median(spent[SKIPPED - 1 :])


def gigaflops() -> float:
    """Of a product of two matrices of 1,024 × 1,024 in single precision."""
    one = torch.rand(1024, 1024)
    times = []
    for _ in range(10):
        began = time.perf_counter()
        one @ one
        times.append(time.perf_counter() - began)
    return 2.0 * 1024**3 / statistics.median(times) / 1e9


def main(
    threads: Annotated[int, typer.Option(min=1, help="That compute.")] = 1,
    steps: Annotated[int, typer.Option(min=5, help="Measured of each kind.")] = 30,
) -> None:
    """Measures and prints."""
    torch.set_num_threads(threads)
    speed = gigaflops()
    title = f"{threads} thread(s); float32 products: {speed:.0f} GFLOP/s"
    table = Table("what learns", "precision", "examples/s", "per GFLOP/s", title=title)
    adapting, aligning = TrainingConfig.adapting, TrainingConfig.aligning
    kinds: dict[str, tuple[Callable[..., TrainingConfig], dict[str, Any]]] = {
        "the action head, on cached features": (adapting, {"split": "action_head"}),
        "all, on frames": (adapting, {"alignment_weight": 0.0}),
        "all, on frames in two looks": (adapting, {}),
        "patches, on frames in two looks": (aligning, {"patches_first": 1.0}),
        "what sees, on frames in two looks": (aligning, {"patches_first": 0.0}),
    }
    for name, (recipe, changes) in kinds.items():
        for precision in ("float32", "bfloat16"):
            config = recipe(precision=precision, epochs=1000, **changes)
            rate = examples_per_second(config, steps)
            table.add_row(name, precision, f"{rate:.0f}", f"{rate / speed:.1f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
