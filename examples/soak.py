"""Plays at random for millions of ticks, on every stage, and looks whether memory stays flat.

    python examples/soak.py --ticks 60000000 --out docs/data/soak.json    # ten minutes on a core
    python examples/soak.py --ticks 200000

Arenas side by side, of which some stand still, begin again as they end; now and then what they show
is looked at, a state is saved and put back, and memory is measured.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from arena_breaker_gym._runtime.run_folder import write_json
from arena_breaker_gym.engine.arena import TICKS_PER_SECOND
from arena_breaker_gym.engine.tick import ENGINE_VERSION
from arena_breaker_gym.stages.loader import PACKAGED
from arena_breaker_gym.vector_env import ArenaBreakerVectorEnv

ARENAS = 256
LOOK_EVERY = 500  # steps
WARM = 4  # looks before memory is compared


def actions(draw: np.random.Generator) -> NDArray[np.float32]:
    """Random sticks and dashes; every eighth arena stands still."""
    found = draw.uniform(-1.0, 1.0, (ARENAS, 5)).astype(np.float32)
    found[::8] = 0.0
    return found


def resident() -> int:
    """Bytes of memory that this process has."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024


def check(envs: ArenaBreakerVectorEnv, observation: Any) -> None:
    """Looks at what every arena shows, and puts a state back.

    Raises:
        RuntimeError: If an observation lies outside its space, or a state is not what was saved.
    """
    if not envs.observation_space.contains(observation):
        raise RuntimeError("an observation lies outside its space")
    state = envs.save_state(3)
    envs.restore_state(3, state)
    if envs.save_state(3) != state:
        raise RuntimeError("a state that was put back is another than the one that was saved")


def soak(ticks: int, *, seed: int) -> dict[str, Any]:
    """Plays so many ticks; what was seen."""
    draw, began = np.random.default_rng(seed), time.monotonic()
    batches = [
        ArenaBreakerVectorEnv(
            num_envs=ARENAS, observation="state", stages=[stage], num_threads=1, copy=False
        )
        for stage in PACKAGED
    ]
    for envs in batches:
        envs.reset(seed=seed)
    played = ended = step = 0
    memory: list[int] = []
    while played < ticks:
        for envs in batches:
            observation, _, terminated, truncated, _ = envs.step(actions(draw))
            ended += int((terminated | truncated).sum())
            played += ARENAS * envs.settings.frame_skip
            if step % LOOK_EVERY == 0:
                check(envs, observation)
        if step % LOOK_EVERY == 0:
            memory.append(resident())
        step += 1
    for envs in batches:
        envs.close()
    flat = memory[WARM:] or memory
    return {
        "ticks": played,
        "hours_of_play": round(played / TICKS_PER_SECOND / 3600, 1),
        "episodes": ended,
        "stages": len(PACKAGED),
        "looks": len(memory),
        "megabytes": round(flat[0] / 2**20, 1) if flat else None,
        "growth_megabytes": round((max(flat) - flat[0]) / 2**20, 2) if flat else None,
        "engine_version": ENGINE_VERSION,
        "seed": seed,
        "minutes": round((time.monotonic() - began) / 60, 1),
    }


def main(
    ticks: Annotated[int, typer.Option(min=1, help="How many.")] = 60_000_000,
    seed: Annotated[int, typer.Option(help="Of games and actions.")] = 0,
    out: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Soaks the engine."""
    found = soak(ticks, seed=seed)
    if out is not None:
        write_json(out, found)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    typer.run(main)
