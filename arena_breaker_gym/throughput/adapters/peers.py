"""What is measured beside ours: other environments, and the calibration loop."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

from .subject import CORES, TURNS, Adapter, Step, Subject, batch, parallel, sampled, single

KNIGHTS_NOTE = "four agents act in one step"

BATCH_OF_ARENAS = 64
BATCH_OF_BREAKOUTS = 1024

PROCGEN_BATCH = 64
PROCGEN_ACTIONS = 15

ALE_SIZE = (160, 210)

ENVPOOL_BATCH = 64

MINIGRID_STEPS_BEFORE = 300  # it draws a field when it is first seen, and keeps it


def _make_knights(**settings: object) -> Step:
    from pettingzoo.butterfly import knights_archers_zombies_v11 as game

    return parallel(game.parallel_env(**settings))


KNIGHTS = Adapter(
    name="Knights, archers, zombies",
    module="pettingzoo.butterfly.knights_archers_zombies_v11",
    distributions=("pettingzoo",),
    subjects=(
        Subject(
            "vectors",
            functools.partial(_make_knights, obs_method="vector"),
            "state",
            note=KNIGHTS_NOTE,
        ),
        Subject(
            "images",
            functools.partial(_make_knights, obs_method="image"),
            "pixels",
            size=(512, 512),
            note=KNIGHTS_NOTE,
        ),
    ),
)


def _make_waterworld() -> Step:
    from pettingzoo.sisl import waterworld_v4

    return parallel(waterworld_v4.parallel_env())


WATERWORLD = Adapter(
    name="Waterworld",
    module="pettingzoo.sisl.waterworld_v4",
    distributions=("pettingzoo",),
    subjects=(Subject("sensors", _make_waterworld, "state", note="two agents act in one step"),),
)


def _impulse_wars(arenas: int) -> Step:
    import numpy as np
    from pufferlib.ocean.impulse_wars.impulse_wars import ImpulseWars

    env: Any = ImpulseWars(arenas, continuous=True)
    shape = (TURNS, env.num_agents, *env.single_action_space.shape)
    return batch(env, np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32))


def _breakout(arenas: int) -> Step:
    import numpy as np
    from pufferlib.ocean.breakout.breakout import Breakout

    env: Any = Breakout(num_envs=arenas)
    return batch(env, np.random.default_rng(0).integers(0, 3, (TURNS, env.num_agents)))


def _subject_pufferlib(name: str, make: Callable[[int], Step], arenas: int) -> Subject:
    words = name if arenas == 1 else f"{name}, batch of {arenas:,}"
    return Subject(
        words, functools.partial(make, arenas), "state", arenas=arenas, threads=1, copies=False
    )


PUFFERLIB = Adapter(
    name="PufferLib",
    module="pufferlib",
    distributions=("pufferlib",),
    subjects=(
        _subject_pufferlib("Impulse Wars", _impulse_wars, 1),
        _subject_pufferlib("Impulse Wars", _impulse_wars, BATCH_OF_ARENAS),
        _subject_pufferlib("Breakout in C", _breakout, BATCH_OF_BREAKOUTS),
    ),
)


def _make_procgen(arenas: int, threads: int) -> Step:
    import numpy as np
    from procgen import ProcgenGym3Env

    env = ProcgenGym3Env(
        num=arenas, env_name="starpilot", rand_seed=0, num_threads=threads if threads > 1 else 0
    )
    drawn = np.random.default_rng(0).integers(0, PROCGEN_ACTIONS, (TURNS, arenas), dtype=np.int32)
    turns = itertools.cycle(drawn)

    def step() -> None:
        env.act(next(turns))
        env.observe()

    return step


def _subject_procgen(name: str, arenas: int, threads: int) -> Subject:
    return Subject(
        name,
        functools.partial(_make_procgen, arenas, threads),
        "pixels",
        arenas=arenas,
        size=(64, 64),
        threads=threads,
        copies=False,
    )


PROCGEN = Adapter(
    name="Procgen",
    module="procgen",
    distributions=("procgen", "procgen-mirror", "procgen2"),
    subjects=(
        _subject_procgen("starpilot", 1, 1),
        _subject_procgen(f"starpilot, batch of {PROCGEN_BATCH}", PROCGEN_BATCH, CORES),
    ),
)


def _make_ale(frame_skip: int) -> Step:
    import ale_py
    import gymnasium as gym

    gym.register_envs(ale_py)
    env = gym.make("ALE/Breakout-v5", frameskip=frame_skip)
    return single(env, sampled(env.action_space))


ALE = Adapter(
    name="ALE",
    module="ale_py",
    distributions=("ale-py",),
    subjects=tuple(
        Subject(
            f"Breakout, frame skip {skip}",
            functools.partial(_make_ale, skip),
            "pixels",
            size=ALE_SIZE,
        )
        for skip in (4, 1)
    ),
)


def _make_envpool() -> Step:
    import envpool
    import numpy as np

    envs = envpool.make(
        "Pong-v5", env_type="gymnasium", num_envs=ENVPOOL_BATCH, num_threads=CORES, seed=0
    )
    actions = envs.action_space.n
    return batch(envs, np.random.default_rng(0).integers(0, actions, (TURNS, ENVPOOL_BATCH)))


ENVPOOL = Adapter(
    name="EnvPool",
    module="envpool",
    distributions=("envpool",),
    subjects=(
        Subject(
            f"Atari Pong, batch of {ENVPOOL_BATCH}",
            _make_envpool,
            "pixels",
            arenas=ENVPOOL_BATCH,
            size=(84, 84),
            threads=CORES,
            note="frame skip 4, four greys stacked",
        ),
    ),
)


def _make_vizdoom() -> Step:
    import gymnasium as gym
    from vizdoom import gymnasium_wrapper  # noqa: F401  (registers its environments)

    env = gym.make("VizdoomBasic-v1")
    return single(env, sampled(env.action_space))


VIZDOOM = Adapter(
    name="ViZDoom",
    module="vizdoom",
    distributions=("vizdoom",),
    subjects=(Subject("basic", _make_vizdoom, "pixels", size=(320, 240)),),
)


def _make_minigrid() -> Step:
    import gymnasium as gym
    from minigrid.wrappers import ImgObsWrapper, RGBImgObsWrapper

    env = gym.make("MiniGrid-Empty-8x8-v0")
    env = ImgObsWrapper(RGBImgObsWrapper(env, tile_size=32))
    step = single(env, sampled(env.action_space))
    for _ in range(MINIGRID_STEPS_BEFORE):
        step()
    return step


MINIGRID = Adapter(
    name="MiniGrid",
    module="minigrid",
    distributions=("minigrid",),
    subjects=(Subject("empty room", _make_minigrid, "pixels", size=(256, 256)),),
)


def _make_crafter() -> Step:
    import crafter
    import numpy as np

    env = crafter.Env(seed=0)
    drawn = np.random.default_rng(0).integers(0, env.action_space.n, TURNS)
    turns = itertools.cycle(drawn.tolist())
    env.reset()

    def step() -> None:
        *_, done, _ = env.step(next(turns))
        if done:
            env.reset()

    return step


CRAFTER = Adapter(
    name="Crafter",
    module="crafter",
    distributions=("crafter",),
    subjects=(Subject("world", _make_crafter, "pixels", size=(64, 64)),),
)


def _integers(count: int) -> int:
    value = 1
    for _ in range(count):  # every turn waits for the one before: nothing to do side by side
        value ^= (value << 13) & 0xFFFFFFFF
        value ^= value >> 17
        value ^= (value << 5) & 0xFFFFFFFF
    return value


def _make_calibration() -> Step:
    import numba
    import numpy as np

    compiled_work: Any = numba.njit(_integers)
    numbers = np.random.default_rng(0).random(40_000)

    def loop() -> None:
        _integers(3_000)
        np.sort(numbers)
        (numbers * numbers + numbers).cumsum()
        compiled_work(250_000)

    return loop


# Fixed work by which runs on other machines and days can be compared: in about equal shares of time
# arithmetic in plain Python, array work in NumPy and a compiled integer loop, all on one core. What
# it computes is of no use.
CALIBRATION = Adapter(
    name="calibration",
    module="numba",
    distributions=("numba",),
    subjects=(Subject("calibration", _make_calibration, observation="", part="calibration"),),
    own=True,
)


# By the names that a command line gives them.
PEERS = {
    "knights_archers_zombies": KNIGHTS,
    "waterworld": WATERWORLD,
    "pufferlib": PUFFERLIB,
    "procgen": PROCGEN,
    "ale": ALE,
    "envpool": ENVPOOL,
    "vizdoom": VIZDOOM,
    "minigrid": MINIGRID,
    "crafter": CRAFTER,
    "calibration": CALIBRATION,
}
