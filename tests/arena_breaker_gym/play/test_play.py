"""A person plays: events to actions, the clock, what is seen between steps, what is kept."""

import json
import math
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pygame
import pytest

from arena_breaker_agents.human import DASH_PATIENCE, HumanAgent
from arena_breaker_agents.inputs import (
    DEAD_ZONE,
    REST,
    Gamepads,
    InputRequest,
    Keyboard,
    Mouse,
    Wish,
    stick_of,
    without_dead_zone,
)
from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.cli import main
from arena_breaker_gym.play import panels, window, words
from arena_breaker_gym.play.clip import Clip, command_for
from arena_breaker_gym.play.playing import MOST_STEPS, Pace, play
from arena_breaker_gym.play.scores import LONGEST, Score, Scores, board_of
from arena_breaker_gym.play.screen import SETTLED_S, Screen, between
from arena_breaker_gym.play.session import BREATH_S, Mode, PlayConfig, Session
from arena_breaker_gym.play.sound import RATE, SOUNDS, Sound, heard_between
from arena_breaker_gym.play.window import STRIP, WindowLayout, icon, side_of, window_of
from arena_breaker_gym.rendering.camera import FORESHORTENING
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.rollout import EpisodeStore, rollout, verify, video
from arena_breaker_gym.settings import MAX_EPISODE_STEPS, Settings
from arena_breaker_gym.stages import loader
from tests.virtual_gamepad import VirtualGamepad
from tests.virtual_screen import PATIENCE_S, WINDOW_MANAGER, VirtualScreen, missing_tools

COMMAND = [sys.executable, "-m", "arena_breaker_gym", "play"]
STILL = np.zeros(5, dtype=np.float32)
RIGHT_AND_FIRE_UP = np.array([1.0, 0.0, 0.0, -1.0, 0.0], dtype=np.float32)


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    """Where best games and the latest ones are kept: never where a person's own are."""
    monkeypatch.setenv("ARENA_BREAKER_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def key(number, *, down=True):
    return pygame.event.Event(pygame.KEYDOWN if down else pygame.KEYUP, key=number)


def button(number, at=(0, 0), *, down=True):
    kind = pygame.MOUSEBUTTONDOWN if down else pygame.MOUSEBUTTONUP
    return pygame.event.Event(kind, button=number, pos=at)


def pointer(*at):
    return pygame.event.Event(pygame.MOUSEMOTION, pos=at)


@pytest.fixture
def human(monkeypatch):
    monkeypatch.setenv("SDL_JOYSTICK_ALLOW_BACKGROUND_EVENTS", "1")
    pygame.display.init()
    pygame.event.clear()
    human = HumanAgent()
    yield human
    human.close()
    pygame.display.quit()


def done(human):
    """What a person does now: (5,)."""
    (action,) = human.act(None, [0])
    return action


# Keys


@pytest.mark.parametrize(
    ("keys", "stick"),
    [
        ([], (0, 0)),
        ([pygame.K_w], (0, -1)),
        ([pygame.K_DOWN], (0, 1)),
        ([pygame.K_a], (-1, 0)),
        ([pygame.K_RIGHT], (1, 0)),
        ([pygame.K_w, pygame.K_d], (math.sqrt(0.5), -math.sqrt(0.5))),
        ([pygame.K_w, pygame.K_UP, pygame.K_d], (math.sqrt(0.5), -math.sqrt(0.5))),
        ([pygame.K_a, pygame.K_d], (0, 0)),
        ([pygame.K_a, pygame.K_d, pygame.K_s], (0, 1)),
    ],
)
def test_keys_pull_a_stick_that_is_never_longer_than_one(human, keys, stick):
    for one in keys:
        human.handle(key(one))
    assert done(human)[:2] == pytest.approx(stick)
    for one in keys:
        human.handle(key(one, down=False))
    assert done(human).tolist() == [0.0] * 5


def test_a_key_that_is_tapped_between_two_steps_counts_for_one():
    keyboard = Keyboard()
    keyboard.handle(key(pygame.K_d))
    keyboard.handle(key(pygame.K_d, down=False))
    assert [keyboard.stick(), keyboard.stick()] == [(1.0, 0.0), REST]


@pytest.mark.parametrize(
    ("number", "wish"),
    [
        (pygame.K_p, Wish.PAUSE),
        (pygame.K_ESCAPE, Wish.PAUSE),
        (pygame.K_r, Wish.RESTART),
        (pygame.K_m, Wish.MENU),
        (pygame.K_q, Wish.QUIT),
        (pygame.K_RETURN, Wish.CONFIRM),
        (pygame.K_LEFT, Wish.BACK),
        (pygame.K_DOWN, Wish.NEXT),
    ],
)
def test_keys_ask_for_what_is_not_play(human, number, wish):
    assert human.handle(key(number)) == InputRequest(wish)
    assert human.handle(key(number, down=False)) is None


def test_digits_ask_for_stages_and_other_keys_for_nothing(human):
    assert human.handle(key(pygame.K_3)) == InputRequest(Wish.STAGE, stage=3)
    assert human.handle(key(pygame.K_0)) is None
    assert human.handle(key(pygame.K_x)) is None
    assert done(human).tolist() == [0.0] * 5


def test_a_dash_is_wanted_for_a_few_steps_and_comes_once_however_long_its_key_is_held(human):
    human.handle(key(pygame.K_SPACE))
    dashes = [done(human)[4] for _ in range(DASH_PATIENCE + 40)]
    assert dashes == [1.0] * DASH_PATIENCE + [0.0] * 40
    human.handle(key(pygame.K_SPACE, down=False))
    human.handle(button(pygame.BUTTON_RIGHT))
    assert done(human)[4] == 1.0


def test_when_the_window_loses_the_keyboard_nothing_stays_held(human):
    for event in (key(pygame.K_d), pointer(9, 9), button(pygame.BUTTON_LEFT, (9, 9))):
        human.handle(event)
    assert human.handle(pygame.event.Event(pygame.WINDOWFOCUSLOST)) == InputRequest(Wish.AWAY)
    assert done(human).tolist() == [0.0] * 5


# Mouse


@pytest.mark.parametrize(
    ("at", "aim"),
    [((150, 100), (1, 0)), ((100, 20), (0, -1)), ((40, 100), (-1, 0)), ((100, 300), (0, 1))],
)
def test_the_gun_fires_at_the_pointer_while_the_button_is_held(human, at, aim):
    human.player_at = (100.0, 100.0)
    human.handle(pointer(*at))
    assert done(human)[2:4].tolist() == [0.0, 0.0]
    human.handle(button(pygame.BUTTON_LEFT, at))
    for _ in range(3):
        assert done(human)[2:4] == pytest.approx(aim)
    human.handle(button(pygame.BUTTON_LEFT, at, down=False))
    assert done(human)[2:4].tolist() == [0.0, 0.0]


def test_the_mouse_aims_on_the_floor_which_is_seen_at_an_angle():
    mouse = Mouse()
    mouse.handle(pointer(200, 100 + round(100 * FORESHORTENING)))
    assert mouse.aim((100, 100), FORESHORTENING) == pytest.approx(
        (math.sqrt(0.5), math.sqrt(0.5)), abs=0.01
    )
    mouse.handle(pointer(101, 101))  # upon the player: the gun stays where it was
    assert mouse.aim((100, 100), FORESHORTENING) == pytest.approx(
        (math.sqrt(0.5), math.sqrt(0.5)), abs=0.01
    )


def test_a_click_between_two_steps_fires_for_one(human):
    human.handle(button(pygame.BUTTON_LEFT, (50, 0)))
    human.handle(button(pygame.BUTTON_LEFT, (50, 0), down=False))
    assert [done(human)[2], done(human)[2]] == [1.0, 0.0]


def test_a_key_keeps_the_gun_firing_without_the_button(human):
    human.handle(pointer(50, 0))
    human.handle(key(pygame.K_f))
    assert [done(human)[2] for _ in range(3)] == [1.0] * 3
    human.handle(key(pygame.K_f))
    assert done(human)[2] == 0.0


# Gamepads


def test_the_dead_zone_is_round_and_beyond_it_a_stick_keeps_its_direction():
    assert without_dead_zone(DEAD_ZONE, 0.0) == REST
    assert without_dead_zone(-0.7 * DEAD_ZONE, 0.7 * DEAD_ZONE) == REST
    lengths = [math.hypot(*without_dead_zone(0.6 * r, -0.8 * r)) for r in (0.21, 0.5, 0.8, 1.0)]
    assert lengths == sorted(lengths)
    assert lengths[0] < 0.05
    assert lengths[-1] == pytest.approx(1.0)
    x, z = without_dead_zone(0.3, -0.4)
    assert z / x == pytest.approx(-4 / 3)
    assert math.hypot(*without_dead_zone(1.0, 1.0)) == pytest.approx(1.0)
    assert stick_of([]) == REST


@pytest.fixture
def plug_in():
    """Plugs gamepads in, and pulls out at the end what still is."""
    plugged = []

    def plug(**what):
        try:
            plugged.append(VirtualGamepad(**what))
        except LookupError as reason:
            pytest.skip(str(reason))
        return plugged[-1]

    yield plug
    for one in plugged:
        one.pull_out()


def heard(human):
    """Lets the person's events come; what they ask for."""
    requests = [human.handle(event) for event in pygame.event.get()]
    return [request.wish for request in requests if request]


AIM_AXES = {True: (2, 3), False: (3, 4)}  # a stranger's third and sixth are triggers


@pytest.mark.parametrize("known", [True, False])
def test_a_gamepad_comes_plays_and_goes(human, plug_in, known):
    assert done(human).tolist() == [0.0] * 5
    pad = plug_in(known=known)
    assert heard(human) == []
    pad.push(0, -1.0)
    pad.push(1, 0.1)
    pad.push(AIM_AXES[known][0], 0.15)  # within the dead zone
    assert heard(human) == []
    assert done(human)[:4] == pytest.approx([-1.0, 0.0, 0.0, 0.0], abs=0.11)
    assert done(human)[2:4].tolist() == [0.0, 0.0]
    pad.push(AIM_AXES[known][1], -1.0)
    heard(human)
    assert done(human)[3] < -0.9
    pad.pull_out()
    assert heard(human) == [Wish.AWAY]
    assert done(human).tolist() == [0.0] * 5


@pytest.mark.parametrize(
    ("known", "number", "wishes", "dashes"),
    [
        (True, pygame.CONTROLLER_BUTTON_A, [Wish.CONFIRM], True),
        (True, pygame.CONTROLLER_BUTTON_RIGHTSHOULDER, [], True),
        (True, pygame.CONTROLLER_BUTTON_START, [Wish.PAUSE], False),
        (True, pygame.CONTROLLER_BUTTON_BACK, [Wish.MENU], False),
        (True, pygame.CONTROLLER_BUTTON_Y, [Wish.AGAIN], False),
        (True, pygame.CONTROLLER_BUTTON_X, [], False),
        (True, pygame.CONTROLLER_BUTTON_DPAD_RIGHT, [Wish.NEXT], False),
        (False, 0, [Wish.CONFIRM], True),
        (False, 7, [Wish.PAUSE], False),
    ],
)
def test_buttons_dash_and_ask(human, plug_in, known, number, wishes, dashes):
    pad = plug_in(known=known)
    heard(human)
    pad.press(number)
    assert heard(human) == wishes
    assert [done(human)[4] for _ in range(DASH_PATIENCE + 1)] == [dashes] * DASH_PATIENCE + [0.0]
    pad.press(number, down=False)
    assert heard(human) == []


def test_the_screen_names_the_buttons_of_what_is_in_use(human, plug_in):
    pad = plug_in()
    heard(human)
    human.handle(pointer(5, 5))
    assert (human.by_gamepad, human.points_at) == (False, (5, 5))
    pad.push(0, 1.0)
    heard(human)
    assert (human.by_gamepad, human.points_at) == (True, None)
    human.handle(key(pygame.K_d))
    assert not human.by_gamepad


def test_pulling_out_a_gamepad_that_lies_idle_disturbs_nobody(human, plug_in):
    pad = plug_in()
    heard(human)
    human.handle(key(pygame.K_d))
    pad.pull_out()
    assert heard(human) == []
    assert done(human)[0] == 1.0


def test_of_two_gamepads_the_stick_that_is_pushed_farther_counts(plug_in):
    pygame.display.init()
    pads = Gamepads()
    first, second = plug_in(), plug_in()
    for event in pygame.event.get():
        pads.handle(event)
    assert len(pads) == 2
    first.push(0, 0.5)
    second.push(0, -1.0)
    for event in pygame.event.get():
        pads.handle(event)
    assert pads.move()[0] == pytest.approx(-1.0)
    pads.close()
    pygame.display.quit()


# The clock


class FakeTime:
    """Time that passes when it is told to, or slept through."""

    def __init__(self):
        self.now = 100.0
        self.slept = 0

    def sleep(self, seconds):
        assert seconds > 0.0
        self.slept += 1
        self.now += seconds

    def pace(self):
        return Pace(step_s=1 / 30, frame_s=1 / 60, clock=lambda: self.now, sleep=self.sleep)


@pytest.mark.parametrize("busy_s", [0.0, 0.001, 0.012, 0.025])
def test_thirty_steps_a_second_whatever_a_frame_costs(busy_s):
    time = FakeTime()
    pace = time.pace()
    begun, steps, frames, shares = time.now, 0, 0, []
    while time.now < begun + 10.0:
        steps += pace.steps_due()
        shares.append(pace.share)
        frames += 1
        time.now += busy_s
        pace.wait()
    assert steps == pytest.approx(300, abs=1)
    assert frames == pytest.approx(min(600, 10.0 / max(busy_s, 1 / 60)), abs=2)
    assert all(0.0 <= share < 1.0 for share in shares)
    assert steps + pace.share <= 30 * (time.now - begun) + 1e-6  # never ahead of the clock


def test_after_a_hitch_the_game_makes_up_for_a_few_steps_and_no_more():
    time = FakeTime()
    pace = time.pace()
    time.now += 5.0
    assert pace.steps_due() == MOST_STEPS
    assert pace.steps_due() == 0
    time.now += 1.01 / 30
    assert pace.steps_due() == 1


def test_on_a_machine_that_is_too_slow_the_game_is_slow_and_does_not_spiral():
    time = FakeTime()
    pace = time.pace()
    played = []
    for _ in range(50):
        played.append(pace.steps_due())
        time.now += 0.050 * played[-1] + 0.02  # a step costs more than its own time
        pace.wait()
    assert max(played) <= MOST_STEPS
    assert time.slept == 0  # there is nothing to wait for


def test_a_pause_costs_no_steps():
    time = FakeTime()
    pace = time.pace()
    time.now += 0.5 / 30
    assert pace.steps_due() == 0
    share = pace.share
    for _ in range(100):
        time.now += 1.0
        pace.rest()
    assert pace.steps_due() == 0
    assert pace.share == pytest.approx(share)


# Between two steps


def two_states(stage=2, steps=90):
    """An arena in the midst of play and the same one step later, each (1,)."""
    arenas = Arenas(Settings(), count=1)
    arenas.reset(0, (1, 2), stage=stage)
    for _ in range(steps):
        arenas.step(RIGHT_AND_FIRE_UP[np.newaxis])
    before = arenas.records.copy()
    arenas.step(RIGHT_AND_FIRE_UP[np.newaxis] * [-1, 1, 1, 1, 1])
    return before, arenas.records


def test_halfway_all_that_moves_is_halfway():
    before, after = two_states()
    half = between(before, after, 0.5)
    for table in ("player", "enemies", "hazards"):
        for axis in ("x", "z"):
            middle = (before[table][axis] + after[table][axis]) / 2
            alive = before[table]["kind"] != 0 if table != "player" else np.ones(1, np.bool_)
            assert half[table][axis][alive] == pytest.approx(middle[alive])
    flying = (before["shots"]["live"] != 0) & (after["shots"]["live"] != 0)
    flying &= after["shots"]["reach"] < before["shots"]["reach"]
    assert flying.any()
    for axis in ("x", "z"):
        middle = (before["shots"][axis] + after["shots"][axis]) / 2
        assert half["shots"][axis][flying] == pytest.approx(middle[flying])
    assert (before["enemies"]["x"] != after["enemies"]["x"]).sum() >= 3
    assert before["player"]["x"] != after["player"]["x"]


def test_at_its_ends_it_is_the_states_themselves_and_writes_to_neither():
    before, after = two_states()
    kept = before.tobytes(), after.tobytes()
    assert between(before, after, 1.0).tobytes() == after.tobytes()
    begun = between(before, after, 0.0)
    assert begun["player"]["x"] == pytest.approx(before["player"]["x"])
    assert (before.tobytes(), after.tobytes()) == kept


def test_a_newcomer_in_a_slot_and_whoever_is_put_elsewhere_do_not_slide():
    before, after = two_states()
    slots = np.flatnonzero(after["enemies"]["kind"][0])
    after["enemies"]["serial"][0, slots[0]] += 1
    after["enemies"]["x"][0, slots[1]] += 5.0
    half = between(before, after, 0.5)
    for slot in slots[:2]:
        assert half["enemies"]["x"][0, slot] == after["enemies"]["x"][0, slot]
    assert half["enemies"]["x"][0, slots[2]] != after["enemies"]["x"][0, slots[2]]


def test_another_stage_is_shown_as_it_is():
    before, after = two_states()
    before["stage"] = 0
    assert between(before, after, 0.5).tobytes() == after.tobytes()


# The session


@pytest.fixture
def store(tmp_path):
    return EpisodeStore(tmp_path / "played")


def session_of(store=None, film=Clip, **terms):
    now = [0.0]
    session = Session(
        PlayConfig(**{"settings": Settings(), "seed": 5, "store": store, **terms}),
        clock=lambda: now[0],
        film=film,
    )
    return session, now


def ask(session, *wishes):
    for wish in wishes:
        session.obey(InputRequest(wish))
    return session.mode


class Recorded:
    """An agent that plays an episode's actions again."""

    name = "human"
    needs = ()

    def __init__(self, actions):
        self.actions = iter(actions)

    def reset(self, arenas, seed):
        pass

    def act(self, observations, arenas):
        return next(self.actions)[np.newaxis]

    def close(self):
        pass


def test_what_a_person_plays_is_what_a_rollout_of_the_same_actions_plays(store):
    session, _ = session_of(store)
    session.begin(2)
    while session.mode is Mode.PLAYING:
        session.step(RIGHT_AND_FIRE_UP)
    session.close()
    (episode,) = store
    assert (episode.agent, episode.seed, episode.stage) == ("human", 5, 2)
    assert episode.status == "completed"
    assert session.note == "Kept as episode_000000.npz"
    verify(episode)
    (theirs,) = rollout(Recorded(episode.actions), episodes=1, seed=5, stage=2)
    assert theirs.final_hash == episode.final_hash
    assert theirs.metrics == episode.metrics


def test_a_game_that_is_left_is_kept_and_marked_and_an_unplayed_one_is_not(store):
    session, _ = session_of(store)
    for stage in (1, 2):
        session.begin(stage)
        session.step(STILL)
        session.step(RIGHT_AND_FIRE_UP)
    session.begin(3)
    session.close()
    first, second = store
    assert [first.seed, second.seed] == [5, 6]
    for episode in (first, second):
        assert episode.failed
        assert episode.reason == "left by the player after 2 steps"
        verify(episode)


def test_a_game_is_cut_off_and_begun_anew_with_the_next_seed(store):
    session, now = session_of(store, max_steps=3)
    session.begin(2)
    for _ in range(5):
        session.step(STILL)
    assert (session.mode, session.ending.status) == (Mode.OVER, "time limit")
    assert ask(session, Wish.CONFIRM) is Mode.OVER  # a dash that came too late
    assert ask(session, Wish.PAUSE) is Mode.OVER  # and a pause that did
    now[0] = BREATH_S
    assert ask(session, Wish.CONFIRM) is Mode.PLAYING
    assert (session.game.plan.seed, session.game.plan.stage_of(0)) == (6, 2)
    assert len(store) == 1


def test_the_screens_lead_to_each_other():
    session, _ = session_of()
    assert ask(session, Wish.PAUSE) is Mode.MENU  # there is nothing to go on with
    ask(session, Wish.NEXT, Wish.NEXT, Wish.NEXT, Wish.BACK)
    assert session.chosen == 3
    assert ask(session, Wish.CONFIRM) is Mode.PLAYING
    assert session.game.plan.stage_of(0) == 3
    session.step(STILL)
    game = session.game
    assert ask(session, Wish.PAUSE) is Mode.PAUSED
    session.step(STILL)
    assert game.steps == 1  # a halted game stands still
    assert ask(session, Wish.MENU) is Mode.MENU
    assert ask(session, Wish.MENU) is Mode.PAUSED
    assert ask(session, Wish.PAUSE) is Mode.PLAYING
    assert session.game is game
    assert ask(session, Wish.AWAY) is Mode.PAUSED
    assert ask(session, Wish.AGAIN) is Mode.PLAYING
    assert session.game is not game
    assert ask(session, Wish.QUIT, Wish.CONFIRM, Wish.AGAIN, Wish.POINT) is Mode.PLAYING
    assert session.running
    ask(session, Wish.PAUSE, Wish.QUIT)
    assert not session.running


def test_digits_begin_a_stage_from_every_screen_but_play():
    session, _ = session_of()
    for stage, expected in ((4, None), (2, 2), (3, 2)):
        session.obey(InputRequest(Wish.STAGE, stage=stage))
        assert (session.game and session.game.plan.stage_of(0)) == expected
    ask(session, Wish.PAUSE)
    session.obey(InputRequest(Wish.STAGE, stage=3))
    assert session.game.plan.stage_of(0) == 3


def test_an_episode_that_cannot_be_written_is_kept_with_the_next(store):
    session, _ = session_of(store, max_steps=2)
    store.folder.rmdir()
    store.folder.write_text("a file where the folder should be")
    session.begin(1)
    session.step(STILL)
    session.step(STILL)
    assert session.note == "Not kept yet: File exists"
    with pytest.raises(FileExistsError):
        session.close()
    store.folder.unlink()
    session.begin(1)
    session.step(STILL)
    session.step(STILL)
    assert [episode.seed for episode in store] == [5, 6]
    assert session.kept == 2


# No time limit


def test_a_game_has_no_limit_unless_one_is_set_and_verifies_however_long(tmp_path, store):
    stage = json.loads(Path(loader.__file__).with_name("stage_1.json").read_text())
    group = {**stage["waves"][0]["groups"][0], "count": 1, "delay": 120.0}
    quiet = tmp_path / "quiet.json"
    quiet.write_text(json.dumps({**stage, "hazards": [], "waves": [{"groups": [group]}]}))
    session, _ = session_of(store, settings=Settings(stages=(str(quiet),)))
    session.begin(1)
    for _ in range(MAX_EPISODE_STEPS + 60):
        session.step(STILL)
    assert session.mode is Mode.PLAYING and not session.terms.limited
    session.close()
    (episode,) = store
    assert len(episode) == MAX_EPISODE_STEPS + 60
    verify(episode)


# The help line


@pytest.mark.parametrize("by_gamepad", [False, True])
@pytest.mark.parametrize("side", [320, 330, 420, 768])
def test_the_keys_leave_the_clock_and_rec_alone(side, by_gamepad, monkeypatch):
    def drawn():
        surface = pygame.Surface((side, side // 18))
        panels.draw_help(
            surface,
            surface.get_rect(),
            "10:00",
            keeps_firing=True,
            by_gamepad=by_gamepad,
            records=True,
        )
        return pygame.surfarray.array3d(surface)

    pygame.init()
    whole = drawn()
    monkeypatch.setattr(panels, "_HELP", ())
    monkeypatch.setattr(panels, "_HELP_GAMEPAD", ())
    alone = drawn()
    first = np.flatnonzero(alone.any(axis=(1, 2)))[0]
    assert np.array_equal(whole[first - 2 :], alone[first - 2 :])
    assert whole[:first].any()


# The countdown


def test_the_game_stands_still_until_the_countdown_is_over(store):
    session, now = session_of(store, countdown_s=3.0)
    session.begin(1)
    before = session.game.arenas.records.tobytes()
    shown = []
    for now[0] in (7.0, 7.1, 8.1, 9.9, 10.0):  # from the first frame on, however late it is
        session.count_down()
        shown.append((session.mode, session.count))
        if session.mode is Mode.READY:
            session.step(RIGHT_AND_FIRE_UP)
    assert [count for _, count in shown] == [3, 3, 2, 1, 0]
    assert session.mode is Mode.PLAYING
    assert (session.game.steps, session.game.arenas.records.tobytes()) == (0, before)


def test_a_countdown_is_skipped_halted_and_begun_anew():
    session, now = session_of(countdown_s=3.0)
    assert ask(session, Wish.CONFIRM) is Mode.READY
    session.count_down()
    assert ask(session, Wish.AGAIN, Wish.QUIT) is Mode.READY and session.running
    assert ask(session, Wish.AWAY) is Mode.PAUSED
    now[0] = 9.0
    assert ask(session, Wish.PAUSE) is Mode.READY
    session.count_down()
    assert session.count == 3
    assert ask(session, Wish.CONFIRM) is Mode.PLAYING
    session.step(STILL)
    assert ask(session, Wish.PAUSE, Wish.PAUSE) is Mode.PLAYING  # a game under way just goes on


def test_a_countdown_changes_no_byte_of_what_is_kept(tmp_path):
    files = []
    for seconds in (0.0, 3.0):
        session, now = session_of(EpisodeStore(tmp_path / f"{seconds}"), countdown_s=seconds)
        session.begin(2)
        session.count_down()
        now[0] = 3.0
        session.count_down()
        for _ in range(30):
            session.step(RIGHT_AND_FIRE_UP)
        session.close()
        files.append((tmp_path / f"{seconds}" / "episode_000000.npz").read_bytes())
    assert files[0] == files[1]


# Best games


def score(points, name="ann"):
    return Score(name=name, score=points, kills=1, seconds=2, end="victory", day="2026-01-31")


def test_the_best_games_are_kept_in_order_for_each_board(tmp_path):
    scores = Scores(tmp_path / "new" / "best.json")
    assert [scores.add("one", score(points)) for points in (50, 90, 70)] == [1, 1, 2]
    assert scores.add("one", score(70, "bob")) == 3  # whoever had it first stands first
    assert scores.add("two", score(10)) == 1
    for _ in range(LONGEST - 4):
        scores.add("one", score(60))
    assert scores.add("one", score(40)) is None
    again = Scores(tmp_path / "new" / "best.json")
    assert again.best("one") == scores.best("one")
    assert [one.score for one in again.best("one")[:5]] == [90, 70, 70, 60, 60]
    assert (len(again.best("one")), len(again.best("two")), again.trouble) == (LONGEST, 1, "")


def test_two_windows_share_a_list(tmp_path):
    first, second = (Scores(tmp_path / "best.json") for _ in range(2))
    first.add("one", score(50))
    second.add("one", score(60))
    assert first.add("one", score(40)) == 3


@pytest.mark.parametrize(
    "text", [b"", b"\xff\x00", b"[]", b'{"version": 1, "boards": {"one": [{"score": "x"}]}}']
)
def test_a_damaged_list_is_set_aside_in_one_sentence(tmp_path, text):
    file = tmp_path / "best.json"
    for number in (1, 2):
        file.write_bytes(text)
        scores = Scores(file)
        assert scores.trouble.startswith(f"{file}: no list of best scores, or damaged")
        assert scores.trouble.count("\n") == 0
        assert scores.add("one", score(50)) == 1
        aside = tmp_path / ("best.json.damaged" if number == 1 else "best.json.damaged-2")
        assert aside.read_bytes() == text
        assert Scores(file).trouble == ""


def test_a_list_that_cannot_be_kept_is_no_end_of_play(tmp_path):
    (tmp_path / "file").write_text("no folder")
    scores = Scores(tmp_path / "file" / "best.json")
    session, _ = session_of(max_steps=2, scores=scores)
    session.begin(1)
    for _ in range(2):
        session.step(STILL)
    assert session.place == 1
    assert "best scores cannot be" in session.note


def test_games_that_end_come_onto_the_list_of_their_stage_and_those_that_are_left_do_not(tmp_path):
    session, _ = session_of(max_steps=60, scores=Scores(tmp_path / "best.json"), agent="ann")
    session.begin(2)
    session.step(STILL)
    session.begin(2)
    assert session.best(2) == ()
    while session.mode is Mode.PLAYING:
        session.step(STILL)
    (best,) = session.best(2)
    assert session.place == 1
    assert (best.name, best.score) == ("ann", round(session.ending.metrics["score"]))
    assert (session.best(1), session.best(2)) == (
        (),
        session.terms.scores.best(board_of(session.ending)),
    )


# Clips


def test_the_latest_games_stay_for_clips_where_no_folder_is_named(store):
    session, _ = session_of(store, most=3, max_steps=2)
    for _ in range(5):
        session.begin(1)
        for _ in range(2):
            session.step(STILL)
    assert store.indices() == [2, 3, 4]
    assert session.kept_as == store.path_of(4)
    assert session.note == ""  # nobody asked for them
    assert not session.terms.records


def test_spare_games_that_cannot_be_kept_are_no_error(store):
    session, _ = session_of(store, most=3)
    store.folder.rmdir()
    store.folder.write_text("a file where the folder should be")
    session.begin(1)
    session.step(STILL)
    session.close()


class FakeClip:
    """A film that is done when a test says so."""

    def __init__(self, episode):
        self.episode, self.under_way, self.done, self.words = episode, True, False, "50 %"


def test_a_key_films_the_game_that_is_over_once(store):
    session, _ = session_of(store, max_steps=2, film=FakeClip)
    session.begin(1)
    session.film()
    assert session.clip is None  # it is under way
    for _ in range(2):
        session.step(STILL)
    session.film()
    clip = session.clip
    assert clip.episode == store.path_of(0)
    session.film()
    assert session.clip is clip
    clip.under_way = False  # failed: another try
    session.film()
    assert session.clip is not clip
    session.clip.under_way, session.clip.done = False, True
    clip = session.clip
    session.film()
    assert session.clip is clip


def played_and_kept(store, film):
    session, _ = session_of(store, max_steps=2, film=film)
    session.begin(1)
    for _ in range(2):
        session.step(STILL)
    session.film()
    return session


def test_the_command_films_this_very_game(store, monkeypatch):
    session, asked = played_and_kept(store, FakeClip), []

    def noted(episodes, path, **options):
        asked.append((episodes[0].final_hash, path))
        return video.Film(path, 3, 30.0)

    monkeypatch.setattr(video, "export_side_by_side", noted)
    monkeypatch.setattr(sys, "argv", shlex.split(command_for(session.kept_as)))
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, sys.argv[0]) == (0, "arena-breaker")
    assert asked == [(session.ending.final_hash, store.path_of(0).with_suffix(".mp4"))]


@pytest.mark.slow
def test_the_key_makes_a_film(store):
    pytest.importorskip("imageio_ffmpeg")
    clip = played_and_kept(store, Clip).clip
    clip.wait()
    assert clip.words == f"Clip: {store.path_of(0).with_suffix('.mp4')}"
    assert clip.film.stat().st_size > 1000


@pytest.mark.slow
def test_a_film_that_is_given_up_leaves_nothing_behind(store):
    pytest.importorskip("imageio_ffmpeg")
    clip = played_and_kept(store, Clip).clip
    clip.stop()
    assert not clip.under_way and not clip.done
    assert sorted(store.folder.iterdir()) == [store.path_of(0)]


def test_a_film_that_cannot_be_made_says_why(tmp_path):
    clip = Clip(tmp_path / "none.npz")
    clip.wait()
    assert clip.words == f"No clip: {tmp_path / 'none.npz'}: there is no such episode."
    assert not clip.done and list(tmp_path.iterdir()) == []


# Sound


def test_every_sound_is_quiet_enough_begins_and_ends_at_rest():
    for name, make in SOUNDS.items():
        wave = make()
        assert np.isfinite(wave).all() and 0.1 < np.abs(wave).max() <= 0.6, name
        assert wave[0] == wave[-1] == 0.0, name
        assert 0.05 < len(wave) / RATE < 1.5, name
        assert np.array_equal(make(), wave), name


def test_what_happens_is_heard_and_only_read():
    arenas = Arenas(Settings(), count=1)
    arenas.reset(0, (1, 2), stage=1)
    heard, statistics = [], arenas.records["statistics"]
    while not arenas.terminated[0]:
        before = arenas.records.copy()
        arenas.step(RIGHT_AND_FIRE_UP[np.newaxis] * [0, 1, 1, 1, 1])
        kept = before.tobytes(), arenas.records.tobytes()
        heard += heard_between(before, arenas.records)
        assert (before.tobytes(), arenas.records.tobytes()) == kept
    assert heard[-1] == "death"
    assert statistics["shots_fired"][0] - 1 <= heard.count("shot") > 10  # the last beside the death
    assert 0 < heard.count("kill") <= statistics["kills"][0]
    assert heard.count("hurt") == 4  # the fifth is the death
    assert set(heard) <= set(SOUNDS)
    won = arenas.records.copy()
    before["outcome"], won["outcome"] = 0, 2
    assert heard_between(before, won) == ["victory"]


def test_sound_is_muted_turned_off_and_missed_without_a_word(monkeypatch, capfd):
    sound = Sound()
    assert sound.works
    sound.play(["death", "kill"])
    assert pygame.mixer.get_busy()
    sound.turn()
    sound.play(["shot"])
    assert sound.muted and not pygame.mixer.get_busy()
    sound.turn()
    sound.play(["shot"])
    assert pygame.mixer.get_busy()
    sound.close()
    silent = Sound(wanted=False)
    monkeypatch.setenv("SDL_AUDIODRIVER", "no such driver")
    without = Sound()
    for one in (sound, silent, without):
        assert not one.works
        one.play(["shot"])
        one.turn()
        one.close()
    assert capfd.readouterr() == ("", "")


# The window, without a screen


@pytest.mark.parametrize("window", [(768, 810), (1920, 1080), (500, 900), (321, 400), (40, 40)])
def test_the_arena_is_a_square_as_large_as_the_window_has_room_for(window):
    layout = WindowLayout.of(window)
    whole = layout.whole
    assert pygame.Rect((0, 0), window).contains(whole)
    assert (whole.width, whole.height) == (layout.side, layout.side + layout.side // STRIP)
    larger = layout.side + 1
    assert larger > window[0] or larger + larger // STRIP > window[1]
    assert abs((window[0] - whole.right) - whole.left) <= 1
    assert abs((window[1] - whole.bottom) - whole.top) <= 1
    assert layout.inside(layout.outside((3, 4))) == (3, 4)


def test_a_text_is_cut_into_lines_that_have_room_and_loses_no_letter():
    text = "arena-breaker video /home/somebody/.local/share/games/episode_000000.npz"
    lines = words.wrapped(text, height=20, room=220)
    assert "".join(lines) == text and len(lines) > 2
    assert all(words.fitted(line, height=20, room=220) == 20 for line in lines)
    assert lines[1].endswith("/")
    assert words.wrapped("", height=20, room=220) == []
    assert len(words.wrapped("unbreakable" * 9, height=20, room=100)) > 5


def test_the_icon_is_a_picture_of_our_own():
    picture = icon()
    assert picture.get_size() == (64, 64)
    assert picture.get_at((0, 0)).a == 0  # its corners are round
    assert len({tuple(picture.get_at((x, 64 - x))) for x in range(1, 64)}) > 5


@pytest.fixture(scope="module")
def screen():
    screen = Screen(Settings(), size=320, hud=True, gamepad=True)
    screen.prepare()
    yield screen
    screen.close()


@pytest.fixture
def resized(screen):
    """Gives the window another size; in the end it has its own again."""
    usual = pygame.display.get_window_size()

    def resize(*size):
        pygame.display.set_mode(size, pygame.RESIZABLE)
        return screen

    yield resize
    pygame.display.set_mode(usual, pygame.RESIZABLE)


def test_the_window_opens_once_all_is_painted_and_is_never_empty(monkeypatch):
    told, opened, shown = [], [], []
    set_mode, flip = pygame.display.set_mode, pygame.display.flip

    def noted_set_mode(*arguments):
        opened.append(list(told))
        return set_mode(*arguments)

    def noted_flip():
        shown.append(pygame.surfarray.array3d(pygame.display.get_surface()).std())
        flip()

    monkeypatch.setattr(pygame.display, "set_mode", noted_set_mode)
    monkeypatch.setattr(pygame.display, "flip", noted_flip)
    screen = Screen(Settings(), size=320, hud=True, gamepad=True)
    screen.prepare(told.append)
    assert opened == [[f"Painting stage {number} of 3 …" for number in (1, 2, 3)]]
    assert shown and min(shown) > 3.0  # there is something to be seen


@pytest.mark.parametrize("size", [(700, 400), (360, 700), (900, 900)])
def test_the_mouse_still_aims_when_the_window_has_another_size(resized, person, size):
    screen = resized(*size)
    session, _ = session_of()
    session.begin(1)
    there = session.game.arenas.records.copy()
    person.player_at = screen.player_at(there)
    there["player"]["x"] += 3.0
    there["player"]["z"] -= 4.0
    at = screen.player_at(there)
    assert pygame.Rect((0, 0), size).collidepoint(at)
    person.handle(button(pygame.BUTTON_LEFT, tuple(round(part) for part in at)))
    assert done(person)[2:4] == pytest.approx([0.6, -0.8], abs=0.02)


def test_a_window_that_has_settled_is_drawn_at_its_own_size(resized, person):
    now = [0.0]
    screen = Screen(Settings(), size=320, hud=False, gamepad=False, clock=lambda: now[0])
    screen.prepare()
    session, _ = session_of()
    session.begin(1)
    resized(500, 380)
    middle = slice(100, 260)

    def seen():
        screen.show(session, person, 1.0)
        return pygame.surfarray.array3d(screen.surface)[70:430].swapaxes(0, 1)[middle, middle]

    sharp = Renderer(session.models, size=360).compose(session.game.arenas.records)[0]
    assert not np.array_equal(seen(), sharp[middle, middle])
    now[0] = SETTLED_S
    assert np.array_equal(seen(), sharp[middle, middle])


def test_a_window_may_be_dragged_until_nothing_is_left_of_it(resized, person):
    session, _ = session_of()
    session.begin(1)
    for size in ((33, 20), (20, 300), (40, 40)):
        screen = resized(*size)
        screen.player_at(session.game.arenas.records)
        screen.draw(session, person, 0.5)


def test_f11_takes_the_whole_screen_and_gives_it_back(screen, person):
    session, _ = session_of()
    before, sizes = pygame.display.get_window_size(), []
    frames = iter([[key(pygame.K_F11)], [], [key(pygame.K_F11)], [], [], []])
    window = scripted(screen, frames, lambda: sizes.append(pygame.display.get_window_size()))
    play(session, window, person)
    assert sizes[0] == sizes[-1] == before
    assert pygame.display.get_desktop_sizes()[0] in sizes


def test_no_window_is_larger_than_the_screen(monkeypatch):
    for desktops, sides in (
        ([(800, 600), (1920, 1080)], (455, 455)),
        ([(3840, 2160)], (768, 1024)),
        ([(640, 1200)], (640, 640)),
    ):
        monkeypatch.setattr(pygame.display, "get_desktop_sizes", lambda sizes=desktops: sizes)
        assert (side_of(None), side_of(1024)) == sides
        wide, tall = window_of(sides[1])
        assert wide <= desktops[0][0] and tall <= desktops[0][1]


@pytest.fixture
def person(screen):
    pygame.event.clear()
    human = HumanAgent()
    yield human
    human.close()


def scripted(screen, frames, look=lambda: None):
    """The screen with a person whose events come frame by frame, and somebody who looks on."""

    def show(session, human, share):
        screen.show(session, human, share)
        look()
        for event in next(frames, [pygame.event.Event(pygame.QUIT)]):
            pygame.event.post(event)

    parts = {name: getattr(screen, name) for name in ("player_at", "stage_at", "turn")}
    return SimpleNamespace(show=show, **parts)


def test_a_person_at_the_window_plays_what_a_rollout_plays(screen, person, store):
    session, _ = session_of(store)
    frames = [[] for _ in range(90)]
    frames[0] = [key(pygame.K_2)]
    frames[5] = [key(pygame.K_d), pointer(300, 20), button(pygame.BUTTON_LEFT, (300, 20))]
    frames[40] = [key(pygame.K_SPACE), key(pygame.K_s)]
    play(session, scripted(screen, iter(frames)), person)
    (episode,) = store
    assert episode.stage == 2
    assert 20 < len(episode) < 80  # half as many as frames, and some more where frames were late
    assert episode.reason == f"left by the player after {len(episode)} steps"
    assert episode.metrics["dashes"] == 1
    assert episode.actions[-1, 0] == pytest.approx(math.sqrt(0.5))
    assert np.hypot(*episode.actions[-1, 2:4]) == pytest.approx(1.0)
    assert episode.actions[-1, 3] < -0.5
    verify(episode)


def test_a_key_ends_the_countdown_and_is_no_dash_of_the_game(screen, person, store):
    session, _ = session_of(store, countdown_s=60.0)
    frames = [[] for _ in range(30)]
    frames[0] = [key(pygame.K_1)]
    frames[4] = [button(pygame.BUTTON_LEFT, (9, 9)), button(pygame.BUTTON_LEFT, down=False)]
    frames[8] = [key(pygame.K_SPACE), key(pygame.K_SPACE, down=False)]
    play(session, scripted(screen, iter(frames)), person)
    (episode,) = store
    assert len(episode) > 5 and not episode.actions.any()


def test_keys_of_the_window_mute_and_film(screen, person, store):
    session, _ = session_of(store, max_steps=1, film=FakeClip)
    session.begin(1)
    sound = Sound()
    frames = iter([[key(pygame.K_n)], [], [], [], [key(pygame.K_c)], []])
    play(session, scripted(screen, frames), person, sound)
    assert sound.muted
    assert session.clip.episode == store.path_of(0)
    sound.close()


def test_the_mouse_aims_from_where_the_player_is_seen(screen, person):
    session, _ = session_of()
    session.begin(1)
    records = session.game.arenas.records
    column, row = screen.player_at(records)
    person.player_at = (column, row)
    there = records.copy()
    there["player"]["x"] += 3.0
    there["player"]["z"] -= 4.0
    person.handle(
        button(pygame.BUTTON_LEFT, tuple(round(part) for part in screen.player_at(there)))
    )
    assert done(person)[2:4] == pytest.approx([0.6, -0.8], abs=0.02)


def test_a_click_on_a_card_begins_its_stage(screen, person):
    session, _ = session_of()
    place = next(
        (x, y) for y in range(0, 320, 8) for x in range(160, 320, 8) if screen.stage_at((x, y)) == 3
    )
    assert screen.stage_at((1, 1)) == 0
    frames = iter([[button(pygame.BUTTON_LEFT, (1, 1))], [button(pygame.BUTTON_LEFT, place)], []])
    play(session, scripted(screen, frames), person)
    assert session.chosen == 3


@pytest.mark.parametrize("by_gamepad", [False, True])
def test_every_screen_shows_something_of_its_own(screen, person, store, by_gamepad):
    session, _ = session_of(store, max_steps=60)
    person.by_gamepad = by_gamepad
    pictures = []

    def look():
        screen.draw(session, person, 0.5)
        pictures.append(pygame.image.tobytes(screen.surface, "RGB"))

    look()
    ask(session, Wish.CONFIRM)
    for _ in range(40):
        session.step(RIGHT_AND_FIRE_UP)
    kept = session.game.arenas.records.tobytes()
    look()
    ask(session, Wish.PAUSE)
    look()
    assert session.game.arenas.records.tobytes() == kept
    ask(session, Wish.PAUSE)
    while session.mode is Mode.PLAYING:
        session.step(STILL)
    look()
    assert len(set(pictures)) == 4


# The command


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--stage", "4"], "stage must be a whole number from 1 to 3, got 4."),
        (["--size", "100"], "size must be 320 to 1024 pixels, got 100."),
        (["--skin", "nein"], "There is no skin 'nein'"),
        (["--stages", "none.json"], "none.json"),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_sentence(monkeypatch, capsys, arguments, sentence):
    monkeypatch.setattr(window, "UNSEEN", frozenset())  # the tests' own
    monkeypatch.setattr(sys, "argv", ["arena-breaker", "play", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (1, "", 1)
    assert sentence in err


@pytest.mark.parametrize("driver", ["x11", "dummy", "offscreen", None])
def test_without_a_screen_one_sentence_says_so_before_anything_slow(driver):
    names = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
    without = {name: value for name, value in os.environ.items() if name not in names}
    code = (
        "import sys; sys.argv = ['arena-breaker', 'play']\n"
        "from arena_breaker_gym.cli import main\n"
        "try: main()\n"
        "finally: print('numba' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env=without if driver is None else {**without, "SDL_VIDEODRIVER": driver},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout) == (1, "False\n")
    assert run.stderr.startswith("Error: No window can be opened here (")
    assert run.stderr.count("\n") == 1


def test_the_help_names_defaults_and_an_example(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["arena-breaker", "play", "--help"])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        main()
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert ended.value.code == 0
    assert "Example: arena-breaker play --stage 2 --record runs/mine" in said
    assert "Default: no limit." in said
    assert said.lower().count("default") >= 13  # every option's


# A real window


@pytest.fixture
def monitor(tmp_path):
    if missing_tools():
        pytest.skip(f"{' and '.join(missing_tools())} not installed")
    with VirtualScreen(tmp_path) as monitor:
        yield monitor


@pytest.fixture
def start(monitor):
    """Starts the command on the virtual screen; what still runs in the end is ended."""
    running = []

    def start(*options):
        command = [*COMMAND, "--size", "480", "--countdown", "0", *map(str, options)]
        running.append(subprocess.Popen(command, env=monitor.environment, stderr=subprocess.PIPE))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def menu_shown(pixels):
    return (pixels > 220).all(axis=-1).sum() > 500  # its title is white; nothing before it is


def player_column(pixels):
    """The middle of the player's ring; None: not seen.

    Nothing else in an arena is of its colour, but words and edges on panels are, and wider.
    """
    red, green, blue = (pixels[..., part].astype(int) for part in range(3))
    ring = (green > 200) & (blue > 200) & (red < 130)
    columns = np.flatnonzero(ring.any(axis=0))
    return columns.mean() if ring.sum() > 30 and np.ptp(columns) < 60 else None


class Watcher:
    """Notes where the player is seen, until it has moved far."""

    def __init__(self):
        self.columns = []

    def __call__(self, pixels):
        column = player_column(pixels)
        if column is not None:
            self.columns.append(column)
        return bool(self.columns) and max(self.columns) - self.columns[0] > 50


def test_keys_on_a_real_window_play_episodes_that_replay_to_the_same_hash(monitor, start, store):
    process = start("--record", store.folder, "--seed", 3, "--max-steps", 90, "--no-hud")
    monitor.wait_until(menu_shown, "the menu")
    monitor.do("keydown", "d", "key", "2")
    monitor.wait_until(Watcher(), "the player runs to the right")
    monitor.do("keyup", "d")
    monitor.wait_until(lambda _: len(store) == 1, "the time runs out and the episode is kept")
    monitor.do("key", "r")
    monitor.wait_until(lambda pixels: player_column(pixels) is not None, "another game")
    monitor.do("keydown", "d")
    monitor.wait_until(Watcher(), "the player runs again")
    monitor.do("keyup", "d", "key", "p", "key", "q")
    assert process.wait(PATIENCE_S) == 0
    played, left = store
    assert (played.agent, played.seed, played.status) == ("human", 3, "time limit")
    assert (left.seed, left.status) == (4, "agent failed")
    assert left.reason == f"left by the player after {len(left)} steps"
    for episode in (played, left):
        verify(episode)
        assert episode.stage == 2
        assert set(episode.actions[:, 0].tolist()) <= {0.0, 1.0}
        assert episode.actions[:, 0].sum() >= 10


def test_the_mouse_fires_in_a_real_window_and_a_killed_game_is_kept(monitor, start, store):
    process = start("--record", store.folder, "--stage", 1, "--no-hud", "--name", "ann")
    monitor.wait_until(lambda pixels: player_column(pixels) is not None, "the game")
    monitor.do("mousemove", 400, 200, "mousedown", 1)
    monitor.wait_until(_shots_seen, "shots")
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 130  # as after Ctrl-C
    (episode,) = store
    assert (episode.agent, episode.status) == ("ann", "agent failed")
    fired = np.hypot(episode.actions[:, 2], episode.actions[:, 3])
    assert fired[-1] == pytest.approx(1.0)
    assert episode.actions[-1, 3] < -0.9  # the pointer is above the player
    verify(episode)


def _shots_seen(pixels):
    """The gun's flashes above the player, in the column of the pointer."""
    column = pixels[220:340, 360:440].astype(int)
    return ((column[..., 2] > 230) & (column[..., 0] < 200)).sum() > 20


SETTLING_S = 2.0


def test_full_screen_and_dragging_on_a_real_desktop(monitor, start):
    if missing_tools([WINDOW_MANAGER]):
        pytest.skip(f"{WINDOW_MANAGER} not installed")
    with monitor.managed():
        process = start("--no-hud")
        monitor.wait_until(menu_shown, "the menu")
        before = monitor.window_size()
        edges = {}
        for wanted, act in (
            ((800, 800), ("key", "F11")),
            (before, ("key", "F11")),
            ((700, 560), ("getactivewindow", "windowsize", 700, 560)),
            ((800, 800), ("key", "F11")),
            ((700, 560), ("key", "F11")),
        ):
            time.sleep(SETTLING_S)  # a window manager's own last word on the size before
            monitor.do(*act)
            monitor.wait_until(
                lambda _, wanted=wanted: monitor.window_size() == wanted, f"a window of {wanted}"
            )
            edges[wanted] = title_width(monitor.wait_until(menu_shown, "the menu again"))
        assert edges[800, 800] > 1.4 * edges[before]  # drawn at the size it has, not as before
        monitor.do("key", "1")  # it still has the keyboard
        monitor.wait_until(lambda pixels: player_column(pixels) is not None, "a game")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 130


def title_width(pixels):
    """Columns that the white words of the menu take."""
    return np.ptp(np.flatnonzero((pixels > 220).all(axis=-1).any(axis=0)))
