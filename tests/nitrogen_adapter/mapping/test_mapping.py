"""Laws of every table between gamepad rows and an action space, and what each one refuses."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from nitrogen_adapter import gamepad
from nitrogen_adapter.gamepad import BUTTONS, DEFAULT_GAMEPAD, STICKS, USABLE_BUTTONS
from nitrogen_adapter.gamepad import GamepadSettings as Settings
from nitrogen_adapter.mapping import (
    ARCADE_18,
    TABLES,
    BoxMapping,
    Dimension,
    DiscreteMapping,
    MultiBinaryMapping,
    MultiDiscreteMapping,
    mapping_for,
)
from nitrogen_adapter.mapping.keyed import ARCADE_KEYS, HALVES

quick = settings(max_examples=60, deadline=None, derandomize=True)

pads = st.builds(
    Settings,
    dash_button=st.sampled_from(USABLE_BUTTONS),
    old_layout=st.booleans(),
    inverted=st.lists(st.sampled_from(STICKS), unique=True).map(tuple),
    swap_sticks=st.booleans(),
)
tables = st.sampled_from(sorted(TABLES))
seeds = st.integers(0, 2**32 - 1)


@st.composite
def boxes(draw):
    shape = draw(st.sampled_from([(), (1,), (4,), (2, 3)]))
    count = int(np.prod(shape))
    kind = draw(st.sampled_from([np.float32, np.float64, np.int16, np.uint8]))
    lowest = 0 if kind is np.uint8 else -100
    low = draw(st.lists(st.integers(lowest, 99), min_size=count, max_size=count))
    width = draw(st.lists(st.integers(1, 100), min_size=count, max_size=count))
    low, high = np.reshape(low, shape).astype(kind), np.reshape(np.add(low, width), shape)
    numbers = draw(st.permutations([*STICKS, *USABLE_BUTTONS]))
    dimensions = [Dimension(number, inverted=draw(st.booleans())) for number in numbers[:count]]
    box = spaces.Box(low, high.astype(kind), shape, kind)
    return BoxMapping(box, dimensions, settings=draw(pads))


@st.composite
def keyboards(draw):
    spare = [button for button in USABLE_BUTTONS if not button.startswith("DPAD")]
    halves = [half for half in HALVES if half.startswith("LEFT")] + ["RIGHT_X-", "RIGHT_Y+"]
    either = st.sampled_from([[*spare, *halves], [*USABLE_BUTTONS, "LEFT_X-", "LEFT_Y+"]])
    places = draw(st.permutations(draw(either)))[: draw(st.integers(1, 12))]
    keys = {f"key {number}": place for number, place in enumerate(places)}
    return MultiBinaryMapping(keys, settings=draw(pads))


combinations = st.lists(
    st.frozensets(st.sampled_from(["UP", "DOWN", "LEFT", "RIGHT", "FIRE", "NORTH"])).map(sorted),
    min_size=1,
    max_size=20,
    unique_by=tuple,
)


@st.composite
def choosers(draw):
    start = draw(st.integers(-3, 3))
    return DiscreteMapping(draw(combinations), start=start, settings=draw(pads))


@st.composite
def panels(draw):
    move = [(), ("UP",), ("DOWN",)], [(), ("LEFT",), ("RIGHT",)]
    fire = [("FIRE",), ()]
    return MultiDiscreteMapping([*move, fire, [(), ("WEST", "EAST")]], settings=draw(pads))


named = st.builds(lambda name, pad: TABLES[name](pad), tables, pads)
mappings = st.one_of(named, boxes(), keyboards(), choosers(), panels())


def actions_of(mapping, seed, count=8):
    """A batch of actions; the arena's lie within the circle, where its sticks can be."""
    mapping.space.seed(seed)
    actions = np.stack([np.asarray(mapping.space.sample()) for _ in range(count)])
    if mapping.name == "arena-breaker":
        actions[:, 0:2] = gamepad.within_circle(actions[:, 0:2])
        actions[:, 2:4] = gamepad.within_circle(actions[:, 2:4])
        actions[:, 4] = actions[:, 4] > 0.5
    return actions


def assert_same(mapping, found, wanted):
    if np.asarray(wanted).dtype.kind == "f":
        assert (np.abs(found - wanted) <= 1e-6 * (mapping.space.high - mapping.space.low)).all()
    else:
        np.testing.assert_array_equal(found, wanted)


@quick
@given(mapping=mappings, seed=seeds)
def test_unpacking_what_was_packed_gives_the_action_back(mapping, seed):
    actions = actions_of(mapping, seed)
    rows = mapping.pack(actions)
    assert rows.shape == (len(actions), 25)
    assert rows.dtype == np.float32
    assert rows.min() >= 0.0
    assert rows.max() <= 1.0
    found = mapping.unpack(rows)
    assert found.dtype == mapping.space.dtype
    assert_same(mapping, found, actions)


@quick
@given(mapping=mappings, seed=seeds)
def test_whatever_a_model_predicts_is_a_legal_action(mapping, seed):
    rows = np.random.default_rng(seed).normal(0.5, 1.0, (3, 18, 25)).astype(np.float32)
    actions = mapping.unpack(rows)
    assert actions.shape == (3, 18, *mapping.space.shape)
    for action in actions.reshape(-1, *mapping.space.shape):
        assert mapping.space.contains(np.asarray(action))
    np.testing.assert_array_equal(mapping.unpack(rows[1, 7]), actions[1, 7])


@quick
@given(name=tables, pad=pads, seed=seeds)
def test_old_and_new_layout_hold_the_same_numbers(name, pad, seed):
    values = {**vars(pad), "old_layout": False}
    new = TABLES[name](Settings(**values))
    old = TABLES[name](Settings(**{**values, "old_layout": True}))
    actions = actions_of(new, seed)
    rows = old.pack(actions)
    np.testing.assert_array_equal(gamepad.new_layout(rows, old_layout=True), new.pack(actions))
    by_name = dict(zip(gamepad.OLD_LAYOUT.names, rows.T, strict=True))
    for column, number in enumerate(gamepad.NEW_LAYOUT.names):
        np.testing.assert_array_equal(new.pack(actions)[:, column], by_name[number])


@quick
@given(mapping=mappings, seed=seeds)
def test_a_mirror_seen_in_a_mirror_is_the_row_itself(mapping, seed):
    old_layout = mapping.settings.old_layout
    rows = mapping.pack(actions_of(mapping, seed))
    once = gamepad.mirror(rows, old_layout=old_layout)
    assert once.min() >= 0.0
    assert once.max() <= 1.0
    np.testing.assert_allclose(gamepad.mirror(once, old_layout=old_layout), rows, atol=1e-7)


@quick
@given(pad=pads, choice=st.integers(0, 17), dpad=st.booleans())
def test_a_mirrored_row_says_left_for_right(pad, choice, dpad):
    keys = {**ARCADE_KEYS, "LEFT": "DPAD_LEFT", "RIGHT": "DPAD_RIGHT"} if dpad else ARCADE_KEYS
    arcade = DiscreteMapping(ARCADE_18, keys=keys, settings=pad)
    swap = {"LEFT": "RIGHT", "RIGHT": "LEFT"}
    rows = gamepad.mirror(arcade.pack(choice), old_layout=pad.old_layout)
    said = {swap.get(key, key) for key in ARCADE_18[choice]}
    assert set(ARCADE_18[int(arcade.unpack(rows))]) == said


@quick
@given(mapping=mappings, seed=seeds)
def test_a_table_names_just_the_numbers_that_play_uses(mapping, seed):
    uses = mapping.table()
    columns = [use.column for use in uses]
    assert columns == sorted(set(columns))
    names = mapping.settings.layout.names
    assert [use.number for use in uses] == [names[column] for column in columns]
    assert not {use.number for use in uses} & set(gamepad.UNUSED_BUTTONS)
    unused = np.setdiff1d(np.arange(25), columns)
    at_rest = gamepad.arranged(gamepad.at_rest((1,)), mapping.settings)
    rows = mapping.pack(actions_of(mapping, seed))
    np.testing.assert_array_equal(rows[:, unused], np.broadcast_to(at_rest, rows.shape)[:, unused])


def test_the_arena_table_is_gamepad_pack():
    mapping = mapping_for(spaces.Box(-1.0, 1.0, (5,), np.float32))
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (50, 5)).astype(np.float32)
    rows = rng.normal(0.5, 0.6, (50, 25)).astype(np.float32)
    np.testing.assert_array_equal(mapping.pack(actions), gamepad.pack(actions))
    np.testing.assert_array_equal(mapping.unpack(rows), gamepad.unpack(rows))


def test_the_arena_itself_finds_its_table():
    env = gym.make("ArenaBreaker-v0", observation="state")
    assert mapping_for(env.action_space).name == "arena-breaker"
    env.close()


def test_the_arcade_actions_stand_in_their_classic_order():
    arcade = mapping_for(spaces.Discrete(18))
    assert arcade.name == "arcade-18"
    assert [label.replace("+", "") for label in arcade.labels] == [
        "NOOP",
        "FIRE",
        "UP",
        "RIGHT",
        "LEFT",
        "DOWN",
        "UPRIGHT",
        "UPLEFT",
        "DOWNRIGHT",
        "DOWNLEFT",
        "UPFIRE",
        "RIGHTFIRE",
        "LEFTFIRE",
        "DOWNFIRE",
        "UPRIGHTFIRE",
        "UPLEFTFIRE",
        "DOWNRIGHTFIRE",
        "DOWNLEFTFIRE",
    ]


def row_of(**numbers):
    row = gamepad.at_rest(())
    for name, value in numbers.items():
        row[gamepad.NEW_LAYOUT.names.index(name)] = value
    return row


@pytest.mark.parametrize(
    ("numbers", "label"),
    [
        ({}, "NOOP"),
        ({"LEFT_X": 1.0}, "RIGHT"),
        ({"LEFT_Y": 0.0}, "UP"),  # -y is up the screen
        ({"LEFT_X": 0.74}, "NOOP"),  # within the dead zone of half a push
        ({"LEFT_X": 0.76}, "RIGHT"),
        ({"LEFT_X": 0.9, "LEFT_Y": 0.65}, "RIGHT"),  # 20.6 degrees: still the sector of RIGHT
        ({"LEFT_X": 0.9, "LEFT_Y": 0.70}, "DOWN+RIGHT"),  # 26.6 degrees
        ({"DPAD_UP": 1.0, "DPAD_LEFT": 0.8, "SOUTH": 0.9}, "UP+LEFT+FIRE"),
        ({"DPAD_UP": 0.5}, "NOOP"),
        ({"LEFT_X": 1.0, "DPAD_UP": 1.0}, "UP+RIGHT"),
        ({"DPAD_LEFT": 1.0, "DPAD_RIGHT": 1.0}, "RIGHT"),  # both as near: the first of them
        ({"NORTH": 1.0, "RIGHT_X": 1.0}, "NOOP"),  # not a key of this game
    ],
)
def test_a_row_is_read_as_the_choice_it_says(numbers, label):
    arcade = mapping_for(spaces.Discrete(18))
    assert arcade.labels[int(arcade.unpack(row_of(**numbers)))] == label


def test_where_no_choice_fits_the_nearest_is_taken_and_nothing_is_added():
    lines = DiscreteMapping([("LEFT", "FIRE"), ("LEFT",), ("RIGHT",), ("UP", "FIRE"), ()])
    assert lines.unpack(row_of(LEFT_X=0.0, LEFT_Y=0.0)) == 1  # UP+LEFT: LEFT, without FIRE
    assert lines.unpack(row_of(SOUTH=1.0)) == 4  # LEFT+FIRE and UP+FIRE are as near, but add
    assert lines.unpack(row_of(LEFT_X=1.0, SOUTH=1.0)) == 2


def test_keys_that_a_stick_cannot_say_at_once_lie_on_the_dpad():
    keys = mapping_for(spaces.MultiBinary(6))
    row = keys.pack([1, 1, 1, 0, 0, 1])  # left, right, up and B
    named = dict(zip(gamepad.NEW_LAYOUT.names, row.tolist(), strict=True))
    assert named["DPAD_LEFT"] == named["DPAD_RIGHT"] == named["EAST"] == 1.0
    assert (named["LEFT_X"], named["LEFT_Y"]) == (0.5, 0.0)
    np.testing.assert_array_equal(keys.unpack(row), [1, 1, 1, 0, 0, 1])
    assert keys.pack([1, 0, 1, 0, 0, 0])[21] == pytest.approx(0.5 - 0.5**1.5)  # on the circle


@pytest.mark.parametrize("axis", STICKS)
def test_an_inverted_axis_is_stored_the_other_way_round(axis):
    plain, turned = DEFAULT_GAMEPAD, Settings(inverted=(axis,))
    action = np.array([0.3, -0.4, -0.5, 0.6, 1.0], np.float32)
    column = gamepad.NEW_LAYOUT.names.index(axis)
    rows, flipped = gamepad.pack(action, plain), gamepad.pack(action, turned)
    assert flipped[column] == pytest.approx(1.0 - rows[column])
    assert np.delete(flipped, column).tolist() == np.delete(rows, column).tolist()
    np.testing.assert_allclose(gamepad.unpack(flipped, turned), action, atol=1e-6)


def test_swapped_sticks_move_with_the_right_one():
    swapped = Settings(swap_sticks=True)
    row = gamepad.pack([1.0, 0.0, 0.0, -1.0, 0.0], swapped)
    assert row[21:].tolist() == [0.5, 0.0, 1.0, 0.5]
    assert gamepad.unpack(row, swapped).tolist() == [1.0, 0.0, 0.0, -1.0, 0.0]


def test_a_dead_zone_centres_short_sticks_of_any_box():
    stick = spaces.Box(-1.0, 1.0, (2,), np.float32)
    mapping = BoxMapping(stick, ["LEFT_X", "LEFT_Y"], settings=Settings(dead_zone=0.2))
    np.testing.assert_array_equal(mapping.unpack(mapping.pack([0.1, -0.1])), [0.0, 0.0])
    np.testing.assert_allclose(mapping.unpack(mapping.pack([0.1, -0.3])), [0.1, -0.3], atol=1e-6)


def test_a_switch_knows_two_values_and_ranges_may_be_narrower_than_the_space():
    space = spaces.Box(-np.inf, np.inf, (2,), np.float32)
    dimensions = [
        Dimension("SOUTH", label="jump", low=-1.0, high=1.0, switch=True),
        Dimension("RIGHT_TRIGGER", label="gas", low=0.0, high=50.0),
    ]
    mapping = BoxMapping(space, dimensions)
    np.testing.assert_allclose(mapping.unpack(mapping.pack([0.1, 20.0])), [1.0, 20.0])
    np.testing.assert_allclose(mapping.unpack(mapping.pack([-0.1, 70.0])), [-1.0, 50.0])
    assert [use.meaning for use in mapping.table()] == [
        "gas from 0 at 0 to 50 at 1",
        "jump: 1, else -1, above 0.5",
    ]


def test_a_table_follows_the_settings():
    pad = Settings(swap_sticks=True, inverted=("RIGHT_Y",), old_layout=True, dash_button="SOUTH")
    uses = [tuple(use) for use in mapping_for(spaces.Discrete(9), settings=pad).table()][:2]
    assert uses == [
        (2, "RIGHT_X", "right stick, x", "A towards 0, D towards 1"),
        (3, "RIGHT_Y", "right stick, y", "S towards 0, W towards 1"),
    ]
    arena = TABLES["arena-breaker"](pad).table()
    assert (22, "SOUTH", "A", "dash above 0.5") in arena
    assert (3, "RIGHT_Y", "right stick, y", "move_z from 1 at 0 to -1 at 1") in arena


BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)
NINE = mapping_for(spaces.Discrete(9))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: mapping_for(spaces.Discrete(7)),
            r"No gamepad table is known for Discrete\(7\); known are arena-breaker for Box",
        ),
        (lambda: mapping_for(BOX, "wasd"), "no gamepad table 'wasd'; known are arena-breaker, arc"),
        (
            lambda: mapping_for(spaces.Discrete(18), "wasd-9"),
            r"'wasd-9' is for Discrete\(9\), but the space is Discrete\(18\)",
        ),
        (lambda: NINE.pack([3, 9]), r"Actions hold 9, which is not in Discrete\(9\)"),
        (lambda: NINE.pack(-1), "Actions hold -1"),
        (lambda: NINE.pack(0.5), "Actions are float64; expected whole numbers"),
        (lambda: NINE.unpack(np.zeros(24)), r"Gamepad rows have the shape \(24,\)"),
        (lambda: NINE.unpack(np.full(25, np.nan)), "Gamepad rows hold a number that is not finite"),
        (lambda: mapping_for(spaces.MultiBinary(6)).pack([1, 0]), r"expected \(\.\.\., 6\)"),
        (lambda: mapping_for(spaces.MultiBinary(6)).pack([2] * 6), "Actions hold 2"),
        (lambda: BoxMapping(BOX, ["LEFT_X"]), "1 dimensions are bound, but the space has 2"),
        (lambda: BoxMapping(BOX, ["LEFT_X", "RIGHT_UP"]), "Dimension 1 is bound to 'RIGHT_UP'"),
        (lambda: BoxMapping(BOX, ["WEST", "WEST"]), "Dimensions 0 and 1 are both bound to WEST"),
        (
            lambda: BoxMapping(BOX, ["WEST", Dimension("EAST", low=-2.0)]),
            "on EAST ranges from -2 to 1, beyond the space's -1 to 1",
        ),
        (
            lambda: BoxMapping(spaces.Box(0.0, np.inf, (1,), np.float32), ["WEST"]),
            "on WEST ranges from 0 to inf; expected finite ends",
        ),
        (
            lambda: BoxMapping(spaces.Box(0, 2**30, (1,), np.int64), ["WEST"]),
            "on WEST counts from 0 to .*; expected at most 1,048,576",
        ),
        (lambda: BoxMapping(BOX, ["WEST", "EAST"]).pack([0.0, np.nan]), "not finite"),
        (lambda: BoxMapping(BOX, ["WEST", "EAST"]).pack([0.0]), r"shape \(1,\); expected \(\.\.\."),
        (lambda: MultiBinaryMapping({"a": "LEFT"}), "Key 'a' is bound to 'LEFT'; expected half"),
        (
            lambda: MultiBinaryMapping({"a": "SOUTH", "b": "SOUTH"}),
            "Keys 'a' and 'b' are both bound to SOUTH",
        ),
        (
            lambda: MultiBinaryMapping({"a": "RIGHT_X-", "b": "RIGHT_X+"}).pack([1, 1]),
            "Key 'a' on RIGHT_X- is pressed together with the one on the opposite half",
        ),
        (lambda: DiscreteMapping([]), "There are no choices"),
        (lambda: DiscreteMapping(["UP", "FIRE"]), "Each choice is a sequence of keys"),
        (lambda: DiscreteMapping([(), ("JUMP",)]), "There is no key 'JUMP'; known are UP"),
        (
            lambda: DiscreteMapping([("UP", "FIRE"), ("FIRE", "UP")]),
            r"Choices 0 and 1 are both FIRE\+UP",
        ),
        (
            lambda: MultiDiscreteMapping([[(), ("UP",)], [("UP",), ("FIRE",)]]),
            "Key 'UP' is pressed in two places",
        ),
        (lambda: Settings(inverted=("LEFT",)), r"inverted is \('LEFT',\); expected a tuple with"),
        (lambda: Settings(key_dead_zone=-0.1), "key_dead_zone is -0.1; expected 0 or more"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)


def test_the_tables_know_every_button_by_its_xbox_name():
    assert list(gamepad.XBOX) == [*(b for b in BUTTONS if b in USABLE_BUTTONS), *STICKS]
    assert len(set(gamepad.XBOX.values())) == len(gamepad.XBOX)
