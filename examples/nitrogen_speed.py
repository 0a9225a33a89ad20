"""How long a NitroGen takes to think, part by part, and what computing things once saves.

    python examples/nitrogen_speed.py                      # the real size, random weights
    python examples/nitrogen_speed.py --preset student     # the small student
    python examples/nitrogen_speed.py --batch 1 --batch 32 --device cuda --dtype bfloat16

Times are medians of interleaved repeats. "Once a step" is what the public implementation does: the
visual tokens' self-attention, and the keys and values that the actions attend to, at every
denoising step. "Equal bytes" is what it costs that a chunk does not depend on how many are sampled
beside it (`nitrogen_adapter/steady.py`).
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from arena_breaker_gym._runtime.files import written_whole
from nitrogen_adapter import NitroGen
from nitrogen_adapter.inference import Steady

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
DATA = Path(__file__).parent.parent / "docs" / "data" / "nitrogen_speed.json"


def sampled_once(model: NitroGen, pixels: Tensor, noise: Tensor, steps: int) -> Tensor:
    """The chunk as the package computes it: what depends on the frame, once a frame."""
    return model.sample(pixels, noise, steps)


def sampled_anew(model: NitroGen, pixels: Tensor, noise: Tensor, steps: int) -> Tensor:
    """The same chunk with self-attention, keys and values computed at every step."""
    tokens, rows = model.see(pixels), noise
    for step in range(steps):
        context = model.model.context(model.attend(tokens))
        when = torch.full((len(rows),), step / steps, device=rows.device)
        rows = rows + model.velocity(rows, when, context) / steps
    return rows


class Bench:
    """One model on one device with one batch."""

    def __init__(self, model: NitroGen, batch: int, steps: int) -> None:
        """Prepares what is timed.

        Args:
            model: What thinks.
            batch: Frames thought about together.
            steps: Euler steps.
        """
        weight = next(model.parameters())
        side, config = model.config.vision.image_size, model.config
        shape = (batch, config.action_horizon, config.action_dim)
        seeded = torch.Generator().manual_seed(0)
        pixels = torch.rand((batch, 1, 3, side, side), generator=seeded) * 2.0 - 1.0
        self.model, self.steps, self.steady = model, steps, Steady(model)
        self.pixels = pixels.to(weight.device, weight.dtype)
        self.noise = torch.randn(shape, generator=seeded).to(weight.device)

    def parts(self) -> dict[str, Callable[[], Any]]:
        """What is timed, by name."""
        model, pixels, noise, steps = self.model, self.pixels, self.noise, self.steps
        tokens = model.see(pixels)
        context = model.model.context(model.attend(tokens))
        now = torch.zeros(len(noise), device=noise.device)
        return {
            "chunk": lambda: sampled_once(model, pixels, noise, steps),
            "chunk, context once a step": lambda: sampled_anew(model, pixels, noise, steps),
            "chunk, equal bytes": self.sampled_steadily,
            "vision tower": lambda: model.see(pixels),
            "self-attention": lambda: model.attend(tokens),
            "keys and values": lambda: model.model.context(model.attend(tokens)),
            "one denoising step": lambda: model.velocity(noise, now, context),
        }

    def sampled_steadily(self) -> Tensor:
        """The chunk as `LocalPredictor` has it on a CPU: the same however many share the pass."""
        with self.steady.on():
            return sampled_once(self.model, self.pixels, self.noise, self.steps)

    def difference(self) -> float:
        """Largest difference between the two ways to the chunk, over its largest number."""
        once = sampled_once(self.model, self.pixels, self.noise, self.steps)
        anew = sampled_anew(self.model, self.pixels, self.noise, self.steps)
        return ((once - anew).abs().max() / once.abs().max()).item()


@torch.inference_mode()
def measure(model: NitroGen, batch: int, steps: int, repeats: int) -> dict[str, Any]:
    """Medians in seconds of each part, interleaved so that all see the same machine."""
    bench = Bench(model, batch, steps)
    parts = bench.parts()
    times: dict[str, list[float]] = {name: [] for name in parts}
    for repeat in range(repeats + 1):
        for name, run in parts.items():
            seconds = _timed(run, bench.pixels.device)
            if repeat > 0:  # the first of each warms caches, and compiles
                times[name].append(seconds)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        "batch": batch,
        "seconds": medians,
        "speed_up": medians["chunk, context once a step"] / medians["chunk"],
        "equal_bytes_cost": medians["chunk, equal bytes"] / medians["chunk"] - 1.0,
        "difference": bench.difference(),
    }


def _timed(run: Callable[[], Any], device: torch.device) -> float:
    began = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def main(
    preset: Annotated[str, typer.Option(help="Which model.")] = "nitrogen_500m",
    batch: Annotated[list[int] | None, typer.Option(help="Frames at once; again for more.")] = None,
    steps: Annotated[int | None, typer.Option(help="Euler steps; the model's own.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Timed runs of each part.")] = 5,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    compile: Annotated[bool, typer.Option(help="With torch.compile.")] = False,
    out: Annotated[Path, typer.Option(help="JSON to which the results are added.")] = DATA,
) -> None:
    """Measures, prints a table and adds the figures to a JSON file."""
    model = NitroGen.preset(preset, device=device).to(DTYPES[dtype]).eval()
    if compile:
        model.compile_parts()
    steps = model.config.num_inference_timesteps if steps is None else steps
    name = f"{preset}, {device}, {dtype}{', compiled' if compile else ''}, {steps} steps"
    results = [measure(model, count, steps, repeats) for count in batch or [1]]
    for result in results:
        print(f"{name}, batch {result['batch']}")
        for part, seconds in result["seconds"].items():
            print(f"  {part:28s} {1000.0 * seconds:9.1f} ms")
        print(f"  once a frame is {result['speed_up']:.2f} times as fast as once a step;")
        print(f"  equal bytes however many are sampled cost {result['equal_bytes_cost']:.0%} more;")
        print(f"  the chunks differ by {result['difference']:.1e} of their largest number")
    _add(out, name, {"machine": _machine(device), "batches": results})


def _machine(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def _add(out: Path, name: str, result: dict[str, Any]) -> None:
    known = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    with written_whole(out) as part:
        part.write_text(json.dumps({**known, name: result}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
