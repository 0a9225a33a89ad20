"""Layers for people: drawn over a copy, telling what the record says; the window and the view."""

import time

import numpy as np
import pygame
import pytest

from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.engine.arena import VICTORY
from arena_breaker_gym.rendering.camera import Camera
from arena_breaker_gym.rendering.layers import (
    HudState,
    draw_caption,
    draw_gamepad,
    draw_hud,
    hud_state_of,
)
from arena_breaker_gym.rendering.renderer import View, ViewWindow
from arena_breaker_gym.settings import Settings

STATE = HudState(hp=3, max_hp=5, score=120, kills=7, stage=2, wave=4, dash_ready=0.5, victory=False)
RESTING = [0.0, 0.0, 0.0, 0.0, 0.0]


def noise(size=256):
    return np.random.default_rng(3).integers(0, 256, (size, size, 3), dtype=np.uint8)


def changed(before, after):
    """Rows and columns, as shares of the side, between which the two frames differ."""
    rows, columns = np.nonzero((before != after).any(axis=2))
    size = len(before)
    return rows.min() / size, rows.max() / size, columns.min() / size, columns.max() / size


@pytest.fixture(scope="module")
def arenas():
    batch = Arenas(Settings(), count=2)
    for index in range(2):
        batch.reset(index, [5, index], stage=index + 1)
    return batch


@pytest.mark.parametrize("size", [64, 84, 256, 512])
@pytest.mark.parametrize(
    "draw",
    [
        lambda frame: draw_hud(frame, STATE),
        lambda frame: draw_gamepad(frame, RESTING),
        lambda frame: draw_caption(frame, "Zero-shot"),
    ],
    ids=["hud", "gamepad", "caption"],
)
def test_a_layer_is_drawn_on_a_copy_and_always_alike(draw, size):
    frame = noise(size)
    before = frame.copy()
    drawn = draw(frame)
    assert drawn.shape == frame.shape and drawn.dtype == np.uint8
    assert np.array_equal(frame, before) and not np.shares_memory(frame, drawn)
    assert not np.array_equal(drawn, frame)
    assert np.array_equal(draw(frame), drawn)
    assert np.array_equal(draw(np.asfortranarray(frame)), drawn)


def test_layers_keep_to_their_places_and_never_meet():
    frame = noise()
    _, hud_end, *_ = changed(frame, draw_hud(frame, STATE))
    pad_start, pad_end, pad_left, _ = changed(frame, draw_gamepad(frame, RESTING))
    bar_start, bar_end, left, right = changed(frame, draw_caption(frame, "Tutor"))
    assert hud_end < 0.07 and pad_left > 0.5 and bar_start > 0.93
    assert hud_end < pad_start < pad_end < bar_start
    assert bar_end > 0.99 and left < 0.01 and right > 0.99


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_hud_and_caption_lie_over_the_walls_and_leave_the_floor_free(arenas, stage):
    model = arenas.loaded.models[stage - 1]
    camera = Camera.over(model.size.width, model.size.depth, 512)
    frame = noise(512)
    _, hud_end, *_ = changed(frame, draw_hud(frame, STATE))
    bar_start, *_ = changed(frame, draw_caption(frame, "Tutor"))
    behind, before = (camera.project(0, side * model.size.depth / 2)[1] for side in (-1, 1))
    assert hud_end * 512 < behind and before <= bar_start * 512 + 1


def test_a_long_caption_keeps_its_end():
    frame = np.zeros((256, 256, 3), np.uint8)
    words = ["a name that is far too long for one line " * 3 + f"kills {kills}" for kills in (3, 4)]
    assert not np.array_equal(*(draw_caption(frame, text) for text in words))


@pytest.mark.parametrize(
    "other",
    [{"hp": 2}, {"score": 130}, {"kills": 8}, {"stage": 3}, {"wave": 5}, {"dash_ready": 0.8},
     {"dash_ready": 1.0}, {"victory": True}, {"hp": 0}],
    ids=str,
)  # fmt: skip
def test_the_hud_shows_every_part_of_its_state(other):
    frame = np.zeros((256, 256, 3), np.uint8)
    assert not np.array_equal(
        draw_hud(frame, HudState(**{**vars(STATE), **other})), draw_hud(frame, STATE)
    )


def red(frame):
    return int((frame[..., 0].astype(int) - frame[..., 1] > 100).sum())


def test_a_hit_point_is_a_heart():
    frame = np.zeros((512, 512, 3), np.uint8)
    counts = [red(draw_hud(frame, HudState(**{**vars(STATE), "hp": hp}))) for hp in (1, 2, 5)]
    assert counts[1] == pytest.approx(2 * counts[0], rel=0.1)
    assert counts[2] == pytest.approx(5 * counts[0], rel=0.1)


def glowing(action):
    """Which pixels of the gamepad glow like fire, and which like a pressed button."""
    pad = draw_gamepad(np.zeros((512, 512, 3), np.uint8), action).astype(int)
    fire = (pad[..., 0] > 200) & (pad[..., 2] < 120)
    ready = (pad[..., 2] > 200) & (pad[..., 0] < 120)
    return fire, ready


def test_the_aim_stick_lights_up_where_the_gun_fires():
    assert not glowing([0, 0, 0.29, 0, 0])[0].any()
    assert glowing([0, 0, 0.3, 0, 0])[0].sum() > 50
    assert glowing([0, 0, -0.3, 0.3, 0])[0].sum() > 50


def test_the_dash_button_lights_up_above_a_half():
    pressed, resting = (glowing([0, 0, 0, 0, dash])[1] for dash in (0.51, 0.5))
    assert pressed.sum() > resting.sum() + 500


def test_a_stick_points_where_it_is_pushed_and_not_beyond_its_gate():
    frame = np.zeros((256, 256, 3), np.uint8)
    far, full = draw_gamepad(frame, [0, 0, 3.0, 4.0, 0]), draw_gamepad(frame, [0, 0, 0.6, 0.8, 0])
    assert np.array_equal(far, full)
    rows = [np.nonzero(glowing([0, 0, 0, z, 0])[0])[0].mean() for z in (-1.0, 1.0)]
    columns = [np.nonzero(glowing([0, 0, x, 0, 0])[0])[1].mean() for x in (-1.0, 1.0)]
    assert rows[0] < rows[1] and columns[0] < columns[1]


def test_a_caption_of_any_length_fits():
    frame = noise()
    for words in ("", "two\nlines", "much too long " * 40):
        assert draw_caption(frame, words).shape == frame.shape
    long, longer = (draw_caption(frame, "too long " * times) for times in (40, 41))
    assert np.array_equal(long, longer)


def test_bad_frames_and_actions_are_refused():
    with pytest.raises(ValueError, match=r"A frame must be uint8 of shape \(size, size, 3\)"):
        draw_caption(np.zeros((8, 9, 3), np.uint8), "x")
    with pytest.raises(ValueError, match="float64"):
        draw_hud(np.zeros((8, 8, 3)), STATE)
    for action in ([0, 0, 0, 0], [0, 0, 0, 0, float("nan")]):
        with pytest.raises(ValueError, match="five finite numbers"):
            draw_gamepad(noise(), action)


def test_layers_outlive_a_quit_of_pygame():
    first = draw_caption(noise(), "before")
    pygame.quit()
    assert np.array_equal(draw_caption(noise(), "before"), first)
    draw_caption(noise(), "after")


def test_the_hud_state_is_what_the_record_says():
    batch = Arenas(Settings(), count=2)
    batch.reset(0, [1, 2], stage=2)
    batch.reset(1, [1, 2], stage=3)
    assert hud_state_of(batch.records, 1) == HudState(5, 5, 0, 0, 3, 0, 1.0, False)
    batch.step(np.tile([1.0, 0, 0, 0, 1.0], (2, 1)))
    state = hud_state_of(batch.records, 0)
    assert state.stage == 2 and 0.0 <= state.dash_ready < 0.1
    batch.records[0].outcome = VICTORY
    assert hud_state_of(batch.records, 0).victory


def test_the_view_is_the_students_picture_with_a_hud(arenas):
    view = View(arenas, size=256, fps=30)
    before = arenas.records.copy()
    for index in range(2):
        expected = draw_hud(arenas.compose()[index], hud_state_of(arenas.records, index))
        assert np.array_equal(view.frame(index), expected)
    assert np.array_equal(view.frame(-1), view.frame(1))
    assert before.tobytes() == arenas.records.tobytes()


@pytest.mark.parametrize("size", [63, 1025, 96.0, True, "512", None])
def test_the_view_refuses_a_bad_size(arenas, size):
    with pytest.raises(ValueError, match="render_size must be a whole number from 64 to 1024"):
        View(arenas, size=size, fps=30)


def on_screen():
    return pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)


def test_the_view_opens_a_window_shows_the_frame_and_closes(arenas):
    view = View(arenas, size=64, fps=1000)
    view.close()
    view.show()
    assert np.array_equal(on_screen(), view.frame())
    view.close()
    view.close()
    assert not pygame.display.get_init()


def test_a_window_that_the_user_closes_stays_closed():
    window = ViewWindow(64)
    window.show(noise(64), 1000)
    assert window.is_open and pygame.display.get_caption()[0] == "Arena Breaker"
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    window.show(noise(64), 1000)
    assert not window.is_open
    window.show(noise(64), 1)
    window.close()


def test_a_window_keeps_the_pace():
    window = ViewWindow(64)
    window.show(noise(64), 100)
    start = time.perf_counter()
    for _ in range(10):
        window.show(noise(64), 100)
    assert time.perf_counter() - start > 0.08
    window.close()


def test_a_second_window_does_not_die_with_the_first():
    first, second = ViewWindow(64), ViewWindow(96)
    first.show(noise(64), 1000)
    first.close()
    assert second.is_open
    second.show(noise(96), 1000)
    assert np.array_equal(on_screen(), noise(96))
    second.close()
