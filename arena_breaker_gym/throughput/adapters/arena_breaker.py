"""Arena Breaker itself: one environment, batches, threads, and the tick of a full arena."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from .subject import CORES, TURNS, Adapter, Step, Subject, batch, sampled, single

PIXEL_SIZES = (64, 84, 128, 256)
BATCHES = (64, 256, 1024)
BATCH_OF_THREADS = 256
THREADS = sorted({*(2**power for power in range(CORES.bit_length()) if 2**power < CORES), CORES})
TICKS = 64  # full arenas ticked in one call
STAGE_OF_TICKS = 3  # the one with concave walls and moving saws
ACTION_OF_TICKS = (0.5, 0.5, 1.0, 0.0, 0.0)
LASTING_HP = 1_000_000
# A batch is measured in the middle of play: by then random players have died at all ages.
STEPS_BEFORE = 600


def _one(**settings: Any) -> Step:
    import gymnasium as gym

    env = gym.make("ArenaBreaker-v0", **settings)
    return single(env, sampled(env.action_space))


def _batch(arenas: int, **settings: Any) -> Step:
    import gymnasium as gym

    envs: Any = gym.make_vec("ArenaBreaker-v0", num_envs=arenas, **settings)
    step = batch(envs, sampled(envs.action_space, TURNS // 4))
    for index, state in enumerate(_in_play(arenas)):
        envs.unwrapped.arenas.restore(index, state)
    return step


@functools.cache
def _in_play(arenas: int) -> list[bytes]:
    """The states of a batch after some play."""
    import gymnasium as gym

    envs: Any = gym.make_vec("ArenaBreaker-v0", num_envs=arenas, observation="state")
    step = batch(envs, sampled(envs.action_space, TURNS // 4))
    for _ in range(STEPS_BEFORE):
        step()
    return [envs.unwrapped.arenas.save(index) for index in range(arenas)]


def _tick() -> Step:
    return full_arenas(TICKS)


def full_arenas(count: int) -> Callable[[], None]:
    """Arenas that tick once a call, one after the other, and are full before every tick.

    Each holds 24 enemies of all types, 48 shots and 64 enemy shots, clear of walls. A call
    includes the copy of the records that fills the arenas again.
    """
    import numpy as np

    from arena_breaker_gym.batch.arenas import Arenas
    from arena_breaker_gym.settings import Settings

    arenas = Arenas(Settings(start_stage=STAGE_OF_TICKS, frame_skip=1), count=count)
    arenas.reset(0, (1, 2))
    _fill(arenas)
    full = arenas.records[0].copy()
    actions = np.tile(np.array(ACTION_OF_TICKS), (count, 1))

    def tick() -> None:
        arenas.records[:] = full
        arenas.step(actions)

    return tick


def _fill(arenas: Any) -> None:
    import numpy as np

    from arena_breaker_gym.engine.arena import MAX_ENEMIES, MAX_ENEMY_SHOTS, MAX_SHOTS
    from arena_breaker_gym.engine.space import push_out

    arena = arenas.records[0]
    generator = np.random.default_rng(0)
    kinds = 1 + np.arange(MAX_ENEMIES) % 6
    serials = np.arange(MAX_ENEMIES)
    _scatter(arena["enemies"], generator, kind=kinds, hp=LASTING_HP, serial=serials)
    _scatter(arena["shots"], generator, live=np.ones(MAX_SHOTS), reach=14.0)
    _scatter(arena["enemy_shots"], generator, live=np.ones(MAX_ENEMY_SHOTS), reach=2.0)
    arena["player"]["hp"] = LASTING_HP
    stage = arenas.campaign[STAGE_OF_TICKS - 1]
    for name, radius in (("enemies", 0.8), ("shots", 0.3), ("enemy_shots", 0.3)):
        for thing in arena[name]:
            thing["x"], thing["z"] = push_out(stage, thing["x"], thing["z"], radius)


def _scatter(things: Any, generator: Any, **fields: object) -> None:
    import numpy as np

    for name, value in fields.items():
        things[name] = value
    things["x"] = generator.uniform(-11, 11, len(things))
    things["z"] = generator.uniform(-10, 10, len(things))
    angle = generator.uniform(0, 2 * np.pi, len(things))
    things["vx"] = 8.0 * np.cos(angle)
    things["vz"] = 8.0 * np.sin(angle)


def _pixels(size: int) -> dict[str, Any]:
    return {"observation": "pixels", "size": (size, size)}


def _environments() -> Iterator[Subject]:
    yield Subject(
        "one environment, state",
        functools.partial(_one, observation="state"),
        "state",
        part="environment",
    )
    for size in PIXEL_SIZES:
        make = functools.partial(_one, observation="pixels", pixel_size=size)
        yield Subject(f"one environment, pixels {size}", make, **_pixels(size), part="environment")
    make = functools.partial(_one, observation="both")
    yield Subject("one environment, both", make, "both", size=(256, 256), part="environment")


def _batches(part: str, arenas: int, threads: int, copies: bool) -> Iterator[Subject]:
    settings = {"copy": copies, "num_threads": threads}
    words = f"batch of {arenas:,}, {{}}, copy={copies}, threads {threads}"
    common: dict[str, Any] = {"arenas": arenas, "threads": threads, "copies": copies, "part": part}
    make = functools.partial(_batch, arenas, observation="state", **settings)
    yield Subject(words.format("state"), make, "state", **common)
    for size in PIXEL_SIZES:
        make = functools.partial(_batch, arenas, observation="pixels", pixel_size=size, **settings)
        yield Subject(words.format(f"pixels {size}"), make, **_pixels(size), **common)


def _subjects() -> Iterator[Subject]:
    yield from _environments()
    for arenas in BATCHES:
        for copies in (True, False):
            yield from _batches("batch", arenas, CORES, copies)
    for threads in THREADS[:-1]:  # all cores stand among the batches
        yield from _batches("threads", BATCH_OF_THREADS, threads, copies=False)
    yield Subject("tick of a full arena", _tick, "", arenas=TICKS, part="tick")


ADAPTER = Adapter(
    name="Arena Breaker",
    module="arena_breaker_gym",
    distributions=("arena-breaker-gym",),
    subjects=tuple(_subjects()),
    own=True,
)
