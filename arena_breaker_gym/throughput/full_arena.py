"""`full_arenas`: arenas with every slot taken, for the cost of the heaviest tick there is."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.engine.arena import MAX_ENEMIES, MAX_ENEMY_SHOTS, MAX_SHOTS
from arena_breaker_gym.engine.space import push_out
from arena_breaker_gym.settings import Settings

STAGE = 3  # the one with concave walls and moving saws
LASTING_HP = 1_000_000
ACTION = (0.5, 0.5, 1.0, 0.0, 0.0)


def full_arenas(count: int) -> Callable[[], None]:
    """Arenas that tick once a call, one after the other, and are full before every tick.

    Each holds 24 enemies of all types, 48 shots and 64 enemy shots, clear of walls. A call
    includes the copy of the records that fills the arenas again.
    """
    arenas = Arenas(Settings(start_stage=STAGE, frame_skip=1), count=count)
    arenas.reset(0, (1, 2))
    _fill(arenas)
    full = arenas.records[0].copy()
    actions = np.tile(np.array(ACTION), (count, 1))

    def tick() -> None:
        arenas.records[:] = full
        arenas.step(actions)

    return tick


def _fill(arenas: Arenas) -> None:
    arena = arenas.records[0]
    generator = np.random.default_rng(0)
    kinds = 1 + np.arange(MAX_ENEMIES) % 6
    serials = np.arange(MAX_ENEMIES)
    _scatter(arena["enemies"], generator, kind=kinds, hp=LASTING_HP, serial=serials)
    _scatter(arena["shots"], generator, live=np.ones(MAX_SHOTS), reach=14.0)
    _scatter(arena["enemy_shots"], generator, live=np.ones(MAX_ENEMY_SHOTS), reach=2.0)
    arena["player"]["hp"] = LASTING_HP
    stage = arenas.campaign[STAGE - 1]
    for name, radius in (("enemies", 0.8), ("shots", 0.3), ("enemy_shots", 0.3)):
        for thing in arena[name]:
            thing["x"], thing["z"] = push_out(stage, thing["x"], thing["z"], radius)


def _scatter(things: NDArray[np.void], generator: np.random.Generator, **fields: object) -> None:
    for name, value in fields.items():
        things[name] = value
    things["x"] = generator.uniform(-11, 11, len(things))
    things["z"] = generator.uniform(-10, 10, len(things))
    angle = generator.uniform(0, 2 * np.pi, len(things))
    things["vx"] = 8.0 * np.cos(angle)
    things["vz"] = 8.0 * np.sin(angle)
