"""Frames that are kept and only changed: to the byte what a full drawing gives, whatever came."""

import copy

import numpy as np
import pytest

from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.rendering import frames as canvases
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.settings import Settings

COUNT = 6


def batch(**keywords):
    return Arenas(Settings(**{"pixel_size": 64, "observation": "pixels", **keywords}), count=COUNT)


def begin(arenas, index, generator):
    arenas.reset(index, generator.integers(0, 2**32, 2).tolist(), stage=generator.integers(1, 4))


def agree(arenas):
    return np.array_equal(arenas.redraw(), arenas.compose())


@pytest.mark.parametrize(
    ("skin", "size"),
    [
        *(("default", size) for size in (64, 84, 96, 128, 256)),
        ("random", 64),  # painting all skins at every size takes minutes and shows nothing new
    ],
)
def test_a_frame_redrawn_is_a_frame_drawn(skin, size):
    """Random play, resets, other stages, saved states, single arenas, crowds, odd places."""
    generator = np.random.default_rng(size)
    arenas = batch(pixel_size=size, skin=skin)
    for index in range(COUNT):
        begin(arenas, index, generator)
    saved = arenas.save(0)
    for step in range(60):
        index = int(generator.integers(COUNT))
        for _ in range(int(generator.integers(1, 12))):
            arenas.step(generator.uniform(-1, 1, (COUNT, 5)))
        if step % 5 == 1:
            begin(arenas, index, generator)
        if step % 7 == 2:
            arenas.restore(index, saved)
        if step % 7 == 4:
            arenas.step(generator.uniform(-1, 1, (COUNT, 5)))
            begin(arenas, index, generator)  # no state of a crowd that was put there by hand
            arenas.step(generator.uniform(-1, 1, (COUNT, 5)))
            saved = arenas.save(index)
        if step % 9 == 3:
            crowd(arenas.records[index], generator)
        if step % 4 == 0:
            arenas.redraw(generator.random(COUNT) < 0.5)
        assert agree(arenas), f"step {step}"


def crowd(arena, generator, spread=12.0):
    """Every slot taken; with a wide spread some things lie beyond the frame's edges."""
    arena.enemies["kind"] = 1 + np.arange(len(arena.enemies)) % 6
    arena.shots["live"] = arena.enemy_shots["live"] = 1
    for things in (arena.enemies, arena.shots, arena.enemy_shots):
        things["x"], things["z"] = generator.normal(0.0, spread, (2, len(things)))


def test_a_chosen_arena_is_drawn_and_the_others_are_left():
    arenas = batch()
    for index in range(COUNT):
        arenas.reset(index, (1, index), stage=1)
    before = arenas.redraw().copy()
    arenas.step(np.ones((COUNT, 5)))
    chosen = np.arange(COUNT) % 2 == 0
    after = arenas.redraw(chosen)
    fresh = arenas.compose()
    assert np.array_equal(after[chosen], fresh[chosen])
    assert np.array_equal(after[~chosen], before[~chosen])
    mine = before.copy()
    assert arenas.compose(mine, ~chosen) is mine
    assert np.array_equal(mine[~chosen], fresh[~chosen])
    assert np.array_equal(mine[chosen], before[chosen])


def test_frames_that_are_kept_cannot_be_scribbled_on():
    arenas = batch()
    for index in range(COUNT):
        arenas.reset(index, (1, index))
    frames = arenas.redraw()
    with pytest.raises(ValueError, match="read-only"):
        frames[0, 0, 0] = 255
    assert arenas.redraw() is frames


def test_there_is_room_for_the_boxes_of_the_fullest_arena():
    arenas, generator = batch(), np.random.default_rng(0)
    renderer, canvas = Renderer(arenas.loaded.models, size=64), canvases.FrameCache(COUNT, 64)
    for index, arena in enumerate(arenas.records):
        arenas.reset(index, (1, index), stage=3)
        crowd(arena, generator, spread=2.0)
        arena.enemies["kind"], arena.enemies["phase"] = 2, 1  # shooters about to fire
        arena.effects["kind"], arena.player.grace, arena.player.dash = 1, 6, 3
    renderer.redraw(arenas.records, canvas)
    assert (canvas.touched["count"] > 200).all()
    assert (canvas.touched["count"] < canvases.MOST_STANDING + canvases.MOST_ON_FLOOR).all()
    assert (canvas.touched["scene"] != canvases.UNKNOWN).all()


def test_a_copied_batch_draws_on_a_canvas_of_its_own():
    arenas = batch()
    for index in range(COUNT):
        arenas.reset(index, (1, index))
    arenas.redraw()
    twin = copy.deepcopy(arenas)
    for _ in range(30):
        twin.step(np.full((COUNT, 5), 0.5))
        assert agree(twin) and agree(arenas)
