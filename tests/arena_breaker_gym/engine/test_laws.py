"""What holds on every stage that `stages check` passes, whatever is played there, and wherever."""

import asyncio
import hashlib
import itertools
import json
import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor

import gymnasium as gym
import numpy as np
import pymunk
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from arena_breaker_gym.engine.player import RADIUS as PLAYER_RADIUS
from arena_breaker_gym.engine.roster import RADIUS as ENEMY_RADIUS
from arena_breaker_gym.stages.fields import build_space
from arena_breaker_gym.stages.loader import FOLDER_VARIABLE, load_campaign
from arena_breaker_gym.stages.model import StageError
from arena_breaker_gym.stages.table import ENEMY_TYPES, FLOW_CELLS
from tests.trajectories import actions_of

TICKS = 480
TENTH = 0.1  # of a radius, by which a wall may be overlapped


# Stages


def numbers(least, most):
    return st.integers(round(10 * least), round(10 * most)).map(lambda tenths: tenths / 10)


@st.composite
def stages(draw):
    """A stage's text, often one that is refused."""
    width, depth = draw(numbers(12, 20)), draw(numbers(12, 20))
    x, z = numbers(-width / 2 + 1, width / 2 - 1), numbers(-depth / 2 + 1, depth / 2 - 1)
    place = {"x": x, "z": z}
    kind = st.fixed_dictionaries
    points = st.lists(st.tuples(x, z), min_size=3, max_size=5)
    obstacle = st.one_of(
        kind({"shape": st.just("circle"), "radius": numbers(0.3, 2), **place}),
        kind({"shape": st.just("box"), "width": numbers(0.5, 4), "depth": numbers(0.5, 4),
              "angle": numbers(-3, 3), **place}),
        kind({"shape": st.just("polygon"), "points": points}),
    )  # fmt: skip
    hazard = st.one_of(
        kind({"type": st.just("spikes"), "radius": numbers(0.2, 2), **place}),
        kind({"type": st.just("saw"), "speed": numbers(0.5, 12),
              "track": st.lists(st.tuples(x, z), min_size=2, max_size=3)}),
    )  # fmt: skip
    zones = [
        {"name": name, "x": 0, "z": side * (depth / 2 - 1.5), "width": width - 4, "depth": 1}
        for name, side in (("north", -1), ("south", 1))
    ]
    groups = {
        "type": st.sampled_from(ENEMY_TYPES[1:]),
        "count": st.integers(1, 4),
        "zone": st.sampled_from(["north", "south"]),
        "spacing": numbers(0, 0.5),
    }
    group = kind(groups)
    return json.dumps({
        "name": "drawn", "size": {"width": width, "depth": depth},
        "start": {"x": draw(x), "z": draw(z)},
        "obstacles": draw(st.lists(obstacle, max_size=3)),
        "hazards": draw(st.lists(hazard, max_size=2)),
        "zones": zones,
        "waves": [{"groups": draw(st.lists(group, min_size=1, max_size=3))}],
    })  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield


# Laws


class Judge:
    """Looks at an arena, with Chipmunk for walls."""

    def __init__(self, campaign):
        self.plan, self.model = campaign.table[0], campaign.models[0]
        self._space = build_space(self.model)

    def look(self, arena):
        player = arena.player
        self._look_for_walls(player, PLAYER_RADIUS, "the player")
        for enemy in arena.enemies[arena.enemies["kind"] > 0]:
            self._look_for_walls(enemy, ENEMY_RADIUS[enemy.kind], ENEMY_TYPES[enemy.kind])
            target, cell = self._cell(player), self._cell(enemy)
            assert target == cell or self.plan.flow[target, cell] >= 0, "an enemy has no way"

    def _look_for_walls(self, body, radius, name):
        found = self._space.point_query_nearest((body.x, body.z), np.inf, pymunk.ShapeFilter())
        room = min(
            found.distance,
            self.plan.width / 2 - abs(body.x),
            self.plan.depth / 2 - abs(body.z),
        )
        assert room >= (1 - TENTH) * radius, f"{name} overlaps a wall, {room:.3f} m from it"

    def _cell(self, body):
        places = (body.z / self.plan.depth, body.x / self.plan.width)
        row, column = (min(max(int((one + 0.5) * FLOW_CELLS), 0), FLOW_CELLS - 1) for one in places)
        return row * FLOW_CELLS + column


def make(stage, frame_skip):
    return gym.make(
        "ArenaBreaker-v0", stages=[stage], frame_skip=frame_skip, observation="state"
    ).unwrapped


def walks(seed, steps):
    """Actions that go somewhere: each is kept for a while."""
    return actions_of(seed, steps // 12 + 1).repeat(12, axis=0)[:steps]


def laws_hold(stage, frame_skip, seed, kept_at):
    try:
        judge = Judge(load_campaign([stage]))
    except StageError as error:
        assert "\n" not in str(error)
        assume(False)
    env, again = make(stage, frame_skip), make(stage, frame_skip)
    env.reset(seed=seed)
    kept, after = None, []
    steps = walks(seed, TICKS // frame_skip)
    for step, action in enumerate(steps):
        if step == int(kept_at * len(steps)):
            kept, after = env.save_state(), []
        observation, reward, terminated, truncated, _ = env.step(action)
        assert env.observation_space.contains(observation)
        assert np.isfinite(reward)
        judge.look(env.arenas.records[0])
        after.append((action, env.save_state()))
        if terminated or truncated:
            break
    if kept is not None:
        again.reset(seed=0)
        again.restore_state(kept)
        for action, state in after:
            again.step(action)
            assert again.save_state() == state


CASES = {
    "stage": stages(),
    "frame_skip": st.integers(1, 8),
    "seed": st.integers(0, 2**32 - 1),
    "kept_at": st.floats(0, 1, exclude_max=True),
}
PATIENT = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=8, derandomize=True, **PATIENT)
@given(**CASES)
def test_laws_hold_on_random_stages(stage, frame_skip, seed, kept_at):
    laws_hold(stage, frame_skip, seed, kept_at)


@pytest.mark.slow
@settings(max_examples=600, **PATIENT)
@given(**CASES)
def test_laws_hold_on_many_random_stages(stage, frame_skip, seed, kept_at):
    laws_hold(stage, frame_skip, seed, kept_at)


# Elsewhere


def began(steps=40):
    env = make_packaged()
    env.reset(seed=5)
    for action in walks(5, steps):
        env.step(action)
    return env.save_state()


def make_packaged():
    return gym.make("ArenaBreaker-v0", observation="state", start_stage=2).unwrapped


def went_on(state, steps=60):
    """A digest of what comes of a saved state."""
    env, digest = make_packaged(), hashlib.sha256()
    env.reset(seed=0)
    env.restore_state(state)
    for action in walks(6, steps):
        env.step(action)
        digest.update(env.save_state())
    return digest.hexdigest()


class Kept:
    """A data set whose rows are what comes of a saved state."""

    def __init__(self, state):
        self._state = state

    def __len__(self):
        return 2

    def __getitem__(self, row):
        return went_on(self._state)


def in_process(method):
    def play(state):
        with multiprocessing.get_context(method).Pool(1) as pool:
            return pool.map(went_on, [state])

    return play


def in_threads(state):
    with ThreadPoolExecutor(3) as pool:
        return [*pool.map(went_on, [state] * 3)]


def in_asyncio(state):
    async def play():
        return await asyncio.gather(*(asyncio.to_thread(went_on, state) for _ in range(2)))

    return asyncio.run(play())


def in_workers(state):
    batches = DataLoader(Kept(state), num_workers=1, batch_size=1, timeout=120)
    return [*itertools.chain.from_iterable(batches)]


PLACES = {
    "threads": in_threads, "asyncio": in_asyncio, "a DataLoader's worker": in_workers,
    **{method: in_process(method) for method in multiprocessing.get_all_start_methods()},
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # newer Pythons warn of any fork
@pytest.mark.parametrize("where", PLACES)
def test_a_saved_state_goes_on_alike(where):
    assert threading.current_thread() is threading.main_thread()
    state = began()
    assert set(PLACES[where](state)) == {went_on(state)}
