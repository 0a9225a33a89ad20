"""Arena Breaker itself: one environment, batches, threads, and the tick of a full arena."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from .stepping import TURNS, batch, sampled, single
from .subject import CORES, Adapter, Step, Subject

PIXEL_SIZES = (64, 84, 128, 256)
BATCHES = (64, 256, 1024)
BATCH_OF_THREADS = 256
THREADS = sorted({*(2**power for power in range(CORES.bit_length()) if 2**power < CORES), CORES})
TICKS = 64  # full arenas ticked in one call
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
    from arena_breaker_gym.throughput.full_arena import full_arenas

    return full_arenas(TICKS)


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
