"""How much memory and time post-training takes at the real size, with random weights.

    python examples/posttrain_speed.py                              # what acts, on the processor
    python examples/posttrain_speed.py --cached                     # frames looked at once
    python examples/posttrain_speed.py --device cuda --batch 32 --steps 50     # a GPU's memory too
    python examples/posttrain_speed.py --split all --gradient-checkpointing

The article's job is 3,276 examples, four times; its minutes are reckoned from the measured pace.
The frames are noise: what is measured does not depend on what is seen.
"""

from __future__ import annotations

import json
import platform
import resource
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from arena_breaker_gym._runtime.files import written_whole
from nitrogen_adapter import NitroGen
from nitrogen_adapter.data.examples import ArrayExamples
from nitrogen_adapter.data.features import cache_features
from nitrogen_adapter.gamepad import pack
from nitrogen_adapter.training.config import TrainingConfig
from nitrogen_adapter.training.trainer import Trainer, TrainingProgress

GIB = 2**30
ARTICLE_EXAMPLES, ARTICLE_EPOCHS = 3276, 4
DATA = Path(__file__).parent.parent / "docs" / "data" / "posttrain_speed.json"


def noise(count: int, config: Any) -> ArrayExamples:
    """Examples that show nothing and do anything."""
    rng, side = np.random.default_rng(0), config.vision.image_size
    actions = rng.uniform(-1.0, 1.0, (count, config.action_horizon, 5)).astype(np.float32)
    frames = rng.integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    return ArrayExamples(frames, pack(actions))


def peak_memory() -> float:
    """The most memory that this process ever held, in GiB; the system's count is in KiB."""
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / GIB


def main(
    preset: Annotated[str, typer.Option(help="Which model.")] = "nitrogen_500m",
    split: Annotated[str, typer.Option(help="What learns.")] = "action_head",
    lora_rank: Annotated[int, typer.Option(help="Adapters' rank; 0: none.")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Examples in a step.")] = 4,
    accumulate: Annotated[int, typer.Option(min=1, help="Pieces of a step.")] = 1,
    steps: Annotated[int, typer.Option(min=2, help="Steps; the first warms up.")] = 3,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    gradient_checkpointing: Annotated[bool, typer.Option(help="Compute blocks twice.")] = False,
    cached: Annotated[bool, typer.Option(help="Look at every frame once, then learn.")] = False,
    out: Annotated[Path, typer.Option(help="JSON to which the result is added.")] = DATA,
) -> None:
    """Takes some steps, prints peak memory and seconds a step, and adds them to a JSON file."""
    config = TrainingConfig(
        epochs=1,
        split=split,
        lora_rank=lora_rank,
        batch_size=batch,
        accumulate=accumulate,
        precision=precision,
        gradient_checkpointing=gradient_checkpointing,
    )
    model = NitroGen.preset(preset, device=device)
    built, total = peak_memory(), model.num_parameters()
    examples = noise(batch * steps, model.config)
    began = time.perf_counter()
    if cached:
        examples = cache_features(model, examples, batch_size=batch)
    looking = (time.perf_counter() - began) / len(examples) if cached else 0.0
    trainer = Trainer(model, examples, config)
    told: list[TrainingProgress] = []
    trainer.run(told.append)
    seconds = [after.seconds - before.seconds for before, after in pairwise(told)]
    step = statistics.median(seconds)
    job = ARTICLE_EXAMPLES * (looking + ARTICLE_EPOCHS * step / batch)
    result = {
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "parameters": total,
        "trained": trainer.learning(),
        "peak_gib_of_the_model_alone": round(built, 2),
        "peak_gib": round(peak_memory(), 2),
        "seconds_a_step": round(step, 3),
        "examples_a_second": round(batch / step, 2),
        "seconds_to_look_at_a_frame_ahead": round(looking, 3),
        "minutes_of_the_articles_job": round(job / 60.0, 1),
        "loss": [round(now.loss, 4) for now in told],
    }
    if device.startswith("cuda"):
        result["machine"] = torch.cuda.get_device_name(device)
        result["peak_gpu_gib"] = round(torch.cuda.max_memory_allocated(device) / GIB, 2)
    learns = f"LoRA {lora_rank}" if lora_rank else split
    name = f"{preset}, {learns}, {device}, batch {batch}{', cached' if cached else ''}"
    print(name, json.dumps(result, indent=2), f"in {time.perf_counter() - began:.0f} s", sep="\n")
    _add(out, name, result)


def _add(out: Path, name: str, result: dict[str, Any]) -> None:
    known = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    with written_whole(out) as part:
        part.write_text(json.dumps({**known, name: result}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
