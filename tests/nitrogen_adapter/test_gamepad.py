"""The 25 numbers of a gamepad row, the arena's actions on them, and the page that explains them."""

import dataclasses
import re

import numpy as np
import pytest

from nitrogen_adapter.gamepad import (
    BUTTONS,
    DEFAULT_GAMEPAD,
    NEW_LAYOUT,
    OLD_LAYOUT,
    ROW,
    XBOX,
    GamepadSettings,
    layout,
    mirror,
    pack,
    unpack,
)
from nitrogen_adapter.mapping import TABLES
from tests import ROOT

PAGE = (ROOT / "docs" / "gamepad.md").read_text(encoding="utf-8")


def test_every_number_has_its_published_place():
    assert ROW == 25
    assert NEW_LAYOUT.names[:6] == (
        "BACK",
        "DPAD_DOWN",
        "DPAD_LEFT",
        "DPAD_RIGHT",
        "DPAD_UP",
        "EAST",
    )
    assert [NEW_LAYOUT.names.index(name) for name in ("RIGHT_SHOULDER", "SOUTH", "WEST")] == [
        14,
        18,
        20,
    ]
    assert NEW_LAYOUT.names[21:] == ("LEFT_X", "LEFT_Y", "RIGHT_X", "RIGHT_Y")
    assert OLD_LAYOUT.names == NEW_LAYOUT.names[21:] + BUTTONS
    assert layout(old_layout=True) is OLD_LAYOUT


def test_an_action_lies_where_the_table_says():
    row = pack(np.array([1.0, 0.0, 0.0, -1.0, 1.0]))
    named = dict(zip(NEW_LAYOUT.names, row.tolist(), strict=True))
    assert named["LEFT_X"] == 1.0
    assert named["LEFT_Y"] == 0.5
    assert named["RIGHT_X"] == 0.5
    assert named["RIGHT_Y"] == 0.0  # -z is up the screen, and so is -y
    assert [name for name in BUTTONS if named[name]] == ["RIGHT_SHOULDER"]


@pytest.mark.parametrize("old_layout", [False, True])
@pytest.mark.parametrize("dash_button", ["RIGHT_SHOULDER", "SOUTH"])
def test_packing_and_unpacking_returns_the_action(old_layout, dash_button):
    settings = GamepadSettings(old_layout=old_layout, dash_button=dash_button)
    rng = np.random.default_rng(0)
    angle, length = (
        rng.uniform(0, 2 * np.pi, (2, 6, 18, 2)).astype(np.float32),
        rng.random((6, 18, 2)),
    )
    actions = np.zeros((6, 18, 5), dtype=np.float32)
    actions[..., 0:2] = length[..., :1] * np.stack(
        [np.cos(angle[0, ..., 0]), np.sin(angle[0, ..., 0])], -1
    )
    actions[..., 2:4] = length[..., 1:] * np.stack(
        [np.cos(angle[1, ..., 0]), np.sin(angle[1, ..., 0])], -1
    )
    actions[..., 4] = rng.integers(0, 2, (6, 18))
    rows = pack(actions, settings)
    assert rows.shape == (6, 18, 25)
    assert rows.min() >= 0.0
    assert rows.max() <= 1.0
    np.testing.assert_allclose(unpack(rows, settings), actions, atol=1e-6)


def test_long_sticks_come_back_to_the_circle_and_short_ones_to_the_centre():
    action = np.array([1.0, 1.0, 0.05, 0.0, 0.4])
    np.testing.assert_allclose(unpack(pack(action))[:2], [0.5**0.5, 0.5**0.5], atol=1e-6)
    assert unpack(pack(action))[4] == 0.0
    assert unpack(pack(action), GamepadSettings(dead_zone=0.1))[2] == 0.0
    assert unpack(pack(action), GamepadSettings(dead_zone=0.01))[2] == pytest.approx(0.05, abs=1e-6)


def test_predicted_rows_beyond_the_stick_are_still_a_legal_action():
    row = np.full(25, 3.0)
    action = unpack(row)
    assert np.hypot(*action[:2]) == pytest.approx(1.0)
    assert action[4] == 1.0


def test_a_mirror_exchanges_left_and_right_alone():
    rows = pack(np.array([[0.6, 0.2, -0.5, 0.7, 1.0]]))
    np.testing.assert_allclose(unpack(mirror(rows)), [[-0.6, 0.2, 0.5, 0.7, 1.0]], atol=1e-6)
    np.testing.assert_array_equal(mirror(mirror(rows)), rows)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pack(np.zeros(4)), r"Actions have the shape \(4,\); expected \(\.\.\., 5\)"),
        (lambda: unpack(np.zeros((2, 5))), r"Gamepad rows have the shape \(2, 5\)"),
        (lambda: pack(np.full(5, np.nan)), "Actions hold a number that is not finite"),
        (lambda: GamepadSettings(dash_button="SPACE"), "dash_button is 'SPACE'; expected one of"),
        (lambda: GamepadSettings(dash_button="RIGHT_UP"), "dash_button is 'RIGHT_UP'"),
        (lambda: GamepadSettings(dead_zone=1.0), "dead_zone is 1.0; expected 0 or more"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def cells(first, *others):
    """The rows of the page's table that begins with these column names, as lists of cells."""
    header = "| " + " | ".join([first, *others]) + " |"
    assert PAGE.count(header) == 1
    body = PAGE.split(header)[1].split("\n\n")[0].strip().splitlines()[1:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in body]


def test_the_page_lists_the_25_numbers_as_they_are():
    arena = {use.number: use.meaning for use in TABLES["arena-breaker"](DEFAULT_GAMEPAD).table()}
    assert cells("new", "old", "name", "Xbox", "Arena Breaker") == [
        [
            str(column),
            str(OLD_LAYOUT.names.index(name)),
            f"`{name}`",
            XBOX.get(name, "leftover"),
            arena.get(name, ""),
        ]
        for column, name in enumerate(NEW_LAYOUT.names)
    ]


def test_the_page_lists_every_setting_with_its_default():
    listed = cells("setting", "default", "what it does")
    assert {name.strip("`"): default.strip('`"') for name, default, _ in listed} == {
        field.name: str(field.default) for field in dataclasses.fields(GamepadSettings)
    }


def test_the_page_lists_every_ready_made_table():
    made = [build(DEFAULT_GAMEPAD) for build in TABLES.values()]
    assert cells("table", "space", "what the numbers mean") == [
        [
            f"`{mapping.name}`",
            f"`{mapping.space}`",
            "; ".join(f"`{use.number}` {use.meaning}" for use in mapping.table()),
        ]
        for mapping in made
    ]
    for mapping in made:
        if hasattr(mapping, "labels"):
            labels = ", ".join(f"{n} {label}" for n, label in enumerate(mapping.labels))
            assert f"`{mapping.name}`" in PAGE.split(labels)[0].splitlines()[-1]


def test_the_code_on_the_page_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(code, "docs/gamepad.md", "exec"), {})
    assert "21 LEFT_X LEFT towards 0, RIGHT towards 1" in capsys.readouterr().out
