"""Stage files: what the packaged ones hold, and how bad ones are refused."""

import copy
import itertools
import json
import math
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pymunk
import pytest

from arena_breaker_gym.batch.observation import TABLES
from arena_breaker_gym.engine.arena import MAX_ENEMIES
from arena_breaker_gym.engine.roster import RADIUS as ENEMY_RADIUS
from arena_breaker_gym.stages.checks import PLAYER_ROOM
from arena_breaker_gym.stages.fields import build_space
from arena_breaker_gym.stages.loader import PACKAGED, load_campaign, stage_schema
from arena_breaker_gym.stages.model import MAX_ALIVE, Spikes, StageError
from arena_breaker_gym.stages.table import ENEMY_TYPES, RADII, SAW, SPIKES, SWARMER

GOOD = {
    "name": "Test Yard",
    "size": {"width": 14, "depth": 14},
    "start": {"x": 0, "z": 0},
    "obstacles": [
        {"shape": "circle", "x": 4, "z": 0, "radius": 0.8},
        {"shape": "box", "x": -4, "z": 0, "width": 1, "depth": 2, "angle": 0.5},
        {"shape": "polygon", "points": [[-1, 3], [1, 3], [1, 4], [-1, 4]]},
    ],
    "hazards": [
        {"type": "saw", "track": [[-3, -3], [3, -3]]},
        {"type": "spikes", "x": 3, "z": 3},
    ],
    "zones": [
        {"name": "north", "x": 0, "z": -5.5, "width": 6, "depth": 1},
        {"name": "south", "x": 0, "z": 5.5, "width": 6, "depth": 1},
    ],
    "waves": [{"groups": [{"type": "swarmer", "count": 6, "zone": "north"}]}],
}
TRIANGLE = [[2, -3], [5.8, -3], [5.8, 3]]
FENCE = [[-7, 4.6], [7, 4.6], [7, 4.9], [-7, 4.9]]


def changed(*steps, to):
    """The good stage with one place set to another value."""
    stage = copy.deepcopy(GOOD)
    place = stage
    for step in steps[:-1]:
        place = place[step]
    place[steps[-1]] = to
    return stage


def refused(tmp_path, text):
    """The message with which a stage's text is refused."""
    file = tmp_path / "mine.json"
    file.write_text(text if isinstance(text, str) else json.dumps(text))
    with pytest.raises(StageError) as caught:
        load_campaign([file])
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert message.endswith(".")
    assert "\n" not in message
    assert "Traceback" not in message
    assert caught.value.__cause__ is None
    return message.removeprefix(f"{file}: ")


def test_the_good_stage_is_good(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(GOOD))
    assert load_campaign([file]).names == ("Test Yard",)
    assert load_campaign(str(file)) is load_campaign([file])


REFUSALS = {
    "wrong type": (changed("size", "width", to="wide"), "size.width", '"wide"', "a number"),
    "fraction": (
        changed("waves", 0, "groups", 0, "count", to=2.5),
        "waves[0].groups[0].count",
        "2.5",
        "a whole number",
    ),
    "missing": (
        {key: value for key, value in GOOD.items() if key != "waves"},
        "waves",
        "nothing",
        "a value",
    ),
    "unknown key": (
        changed("obstacles", 1, "widht", to=1),
        "obstacles[1].widht",
        "an unknown key",
        'did you mean "width"?',
    ),
    "unknown key at the top": (changed("zone", to=[]), "zone", "an unknown key", '"zones"?'),
    "unknown shape": (
        changed("obstacles", 0, "shape", to="star"),
        "obstacles[0].shape",
        '"star"',
        "'circle', 'box', 'polygon'",
    ),
    "no shape": (changed("obstacles", 0, to={"x": 1}), "obstacles[0].shape", "nothing", "value"),
    "no such enemy": (
        changed("waves", 0, "groups", 0, "type", to="dragon"),
        "waves[0].groups[0].type",
        '"dragon"',
        "'sentinel'",
    ),
    "not a colour": (changed("palette", to={"floor": "red"}), "palette.floor", '"red"', "a colour"),
    "too small": (changed("size", "depth", to=3), "size.depth", "3", "at least 12"),
    "too large": (changed("size", "depth", to=64), "size.depth", "64", "at most 32"),
    "too many waves": (changed("waves", to=GOOD["waves"] * 13), "waves", "13 ", "at most 12"),
    "no zones": (changed("zones", to=[]), "zones", "0 ", "at least 1"),
    "point of three": (
        changed("hazards", 0, "track", to=[[1, 2, 3], [0, 0]]),
        "hazards[0].track[0]",
        "3 ",
        "at most 2",
    ),
    "too many alive": (
        changed("waves", 0, "groups", 0, to={"type": "splitter", "count": 9, "zone": "north"}),
        "waves[0].groups",
        "27 enemies",
        "at most 24",
    ),
    "unknown zone": (
        changed("waves", 0, "groups", 0, "zone", to="nord"),
        "waves[0].groups[0].zone",
        '"nord"',
        'did you mean "north"?',
    ),
    "same zone twice": (
        changed("zones", 1, "name", to="north"),
        "zones[1].name",
        'a second "north"',
        "a name of its own",
    ),
    "zone in an obstacle": (
        changed("zones", 0, to={"name": "north", "x": 4, "z": 0, "width": 0.5, "depth": 0.5}),
        "zones[0]",
        "obstacles[0]",
        "clear of walls",
    ),
    "zone that touches an obstacle": (
        changed("zones", 0, to={"name": "north", "x": 5.3, "z": 0, "width": 1, "depth": 0.5}),
        "zones[0]",
        "obstacles[0]",
        "clear of walls",
    ),
    "zone that touches the wall": (
        changed("zones", 0, to={"name": "north", "x": 6.5, "z": 0, "width": 1, "depth": 0.5}),
        "zones[0]",
        "the outer wall",
        "clear of walls",
    ),
    "zone outside": (
        changed("zones", 0, to={"name": "north", "x": 20, "z": 0, "width": 1, "depth": 1}),
        "zones[0]",
        "x = 20.5",
        "on the floor",
    ),
    "start in an obstacle": (
        changed("start", to={"x": 4, "z": 0.2}),
        "start",
        "obstacles[0]",
        "at least 0.4 m",
    ),
    "start too close to a wall": (
        changed("start", to={"x": 6.7, "z": 0}),
        "start",
        "the outer wall",
        "at least 0.4 m",
    ),
    "saw into an obstacle": (
        changed("hazards", 0, "track", to=[[0, -3], [4, -3], [4, 3]]),
        "hazards[0].track[1]",
        "obstacles[0]",
        "clear of walls",
    ),
    "saw that grazes an obstacle": (
        changed("hazards", 0, "track", to=[[2.5, -3], [2.5, 3]]),
        "hazards[0].track[0]",
        "obstacles[0]",
        "clear of walls",
    ),
    "saw into the outer wall": (
        changed("hazards", 0, "track", to=[[0, -3], [6.5, -3]]),
        "hazards[0].track[0]",
        "the outer wall",
        "clear of walls",
    ),
    "saw that closes through an obstacle": (
        changed("hazards", 0, to={"type": "saw", "closed": True, "track": TRIANGLE}),
        "hazards[0].track[2]",
        "obstacles[0]",
        "clear of walls",
    ),
    "closed track of two": (
        changed("hazards", 0, "closed", to=True),
        "hazards[0].track",
        "2 corners",
        "at least 3",
    ),
    "track that stands still": (
        changed("hazards", 0, "track", to=[[0, -3], [0, -3], [1, -3]]),
        "hazards[0].track[0]",
        "twice",
        "differ",
    ),
    "bow tie": (
        changed("obstacles", 2, "points", to=[[-1, 3], [1, 4], [1, 3], [-1, 4]]),
        "obstacles[2].points",
        "crosses itself",
        "a simple polygon",
    ),
    "outline that touches itself": (
        changed("obstacles", 2, "points", to=[[-2, 3], [2, 3], [2, 4], [0, 3], [-2, 4]]),
        "obstacles[2].points",
        "crosses itself",
        "a simple polygon",
    ),
    "outline that folds back": (
        changed("obstacles", 2, "points", to=[[-1, 3], [2, 3], [1, 3], [-1, 4]]),
        "obstacles[2].points",
        "crosses itself",
        "a simple polygon",
    ),
    "corner twice": (
        changed("obstacles", 2, "points", to=[[-1, 3], [1, 3], [1, 4], [-1, 3]]),
        "obstacles[2].points[3]",
        "twice",
        "differ",
    ),
    "zone that is fenced in": (
        changed("obstacles", 2, "points", to=FENCE),
        "zones[1]",
        "no way on foot",
        "gaps",
    ),
    "spikes on the start": (
        changed("hazards", 1, to={"type": "spikes", "x": 0.9, "z": 0.6}),
        "hazards[1]",
        "the player's start",
        "at least 1.3 m",
    ),
    "spikes in an obstacle": (
        changed("hazards", 1, to={"type": "spikes", "x": 4, "z": 0.2}),
        "hazards[1]",
        "obstacles[0]",
        "open floor",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_bad_stage_is_refused_with_path_and_expectation(tmp_path, name):
    stage, path, found, expected = REFUSALS[name]
    message = refused(tmp_path, stage)
    assert message.startswith(f"{path}: found ")
    what, _, wanted = message.partition(", expected ")
    assert found in what
    assert expected in wanted


def faults_of(tmp_path, stage):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(stage))
    with pytest.raises(StageError) as caught:
        load_campaign(file)
    return [fault.path for fault in caught.value.faults]


def test_all_that_is_wrong_in_a_stage_is_told_at_once(tmp_path):
    bad = changed("size", "width", to="wide") | {"zones": [{"name": ""}], "wavs": 1}
    assert faults_of(tmp_path, bad) == [
        "size.width",
        *(f"zones[0].{key}" for key in ("name", "x", "z", "width", "depth")),
        "wavs",
    ]
    bad = changed("waves", 0, "groups", 0, "zone", to="nord")
    bad["start"] = {"x": 4, "z": 0}
    bad["hazards"][1] |= {"x": 4, "z": 0.2}
    bad["hazards"][0]["track"] = [[0, -3], [4, -3], [4, 3]]
    assert faults_of(tmp_path, bad) == [
        "waves[0].groups[0].zone",
        "start",
        "hazards[0].track[1]",
        "hazards[1]",
        "hazards[1]",
    ]
    bad["hazards"][0] |= {"track": [[0, -3], [0, -3]], "closed": True}
    bad["obstacles"][2]["points"] = [[-1, 3], [1, 4], [1, 3], [-1, 4]]
    assert faults_of(tmp_path, bad)[1:] == ["obstacles[2].points", "hazards[0].track"]


def test_a_list_is_not_called_short_for_what_is_wrong_in_it(tmp_path):
    assert faults_of(tmp_path, changed("waves", 0, "groups", 0, "count", to=0)) == [
        "waves[0].groups[0].count"
    ]


def test_a_stage_may_tell_an_editor_its_schema(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(GOOD | {"$schema": "stage.schema.json"}))
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps(GOOD))
    assert load_campaign(file) is load_campaign(plain)
    assert "$schema" in stage_schema()["properties"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_must_be_finite(tmp_path, number):
    text = json.dumps(changed("start", "x", to=987)).replace("987", number)
    message = refused(tmp_path, text)
    assert message.startswith("start.x: found ")
    assert message.endswith("expected a finite number.")


def test_broken_json_is_refused_with_line_and_column(tmp_path):
    assert "line 2 column 10" in refused(tmp_path, '{\n "name": ]\n}')
    for text in ("", "{", "[" * 10_000, '{"name": "a}'):
        assert refused(tmp_path, text).startswith("found broken JSON (")


def test_json_that_is_no_stage_is_refused(tmp_path):
    for text in ("[]", "3", "null", '"stage"'):
        assert refused(tmp_path, text) == f"found {text}, expected an object in braces."


def test_text_that_is_not_utf8_is_refused(tmp_path):
    file = tmp_path / "latin.json"
    file.write_bytes(json.dumps(GOOD).replace("Test", "T\u00e4st").encode("latin-1"))
    with pytest.raises(StageError, match="broken JSON"):
        load_campaign([file])


def test_unknown_file_is_refused_with_a_guess(tmp_path):
    (tmp_path / "stage_one.json").write_text("{}")
    with pytest.raises(StageError, match=r"stage_on\.json: found no such file, .*stage_one\.json"):
        load_campaign([tmp_path / "stage_on.json"])
    with pytest.raises(StageError, match="no plain file"):
        load_campaign([tmp_path])
    with pytest.raises(ValueError, match="at least one stage file"):
        load_campaign([])


def test_a_refused_stage_leaves_nothing_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ARENA_BREAKER_CACHE", str(tmp_path / "cache"))
    refused(tmp_path, REFUSALS["zone that is fenced in"][0])
    assert not (tmp_path / "cache").exists()


def test_random_damage_to_a_stage_is_refused_in_one_sentence_or_played(tmp_path):
    rng = np.random.default_rng(11)
    text = json.dumps(GOOD)
    refusals = 0
    for _ in range(100):
        place = int(rng.integers(len(text)))
        letter = chr(int(rng.integers(32, 127)))
        file = tmp_path / "mine.json"
        file.write_text(text[:place] + letter + text[place + 1 :])
        try:
            load_campaign([file])
        except StageError as error:
            refusals += 1
            assert str(error).startswith(f"{file}: ")
            assert "\n" not in str(error)
    assert refusals > 40


@pytest.fixture(scope="module")
def packaged():
    return load_campaign()


def test_three_stages_are_packaged(packaged):
    assert len(packaged.models) == len(packaged.table) == len(PACKAGED) == 3
    assert len(set(packaged.names)) == 3


def test_the_first_wave_is_exactly_six_swarmers(packaged):
    wave = packaged.table[0].waves[0]
    groups = wave.groups[: wave.group_count]
    assert sum(group.count for group in groups) == 6
    assert all(group.kind == SWARMER for group in groups)


def test_the_last_stage_has_every_enemy_and_ends_with_a_sentinel(packaged):
    stage = packaged.models[2]
    kinds = [[group.type for group in wave.groups] for wave in stage.waves]
    assert {kind for wave in kinds for kind in wave} == set(ENEMY_TYPES[1:])
    assert "sentinel" in kinds[-1]
    assert any(obstacle.shape == "polygon" for obstacle in stage.obstacles)


def test_each_stage_is_darker_and_has_hazards(packaged):
    brightness = [stage.palette.brightness for stage in packaged.models]
    assert brightness == sorted(brightness, reverse=True)
    for record in packaged.table:
        kinds = {hazard.kind for hazard in record.hazards[: record.hazard_count]}
        assert kinds == {SAW, SPIKES}


def test_packaged_zones_have_room_for_the_largest_enemy(packaged):
    for stage in packaged.models:
        space = build_space(stage)
        assert len(stage.zones) >= 4
        for zone in stage.zones:
            xs = np.linspace(zone.x - zone.width / 2, zone.x + zone.width / 2, 20)
            zs = np.linspace(zone.z - zone.depth / 2, zone.z + zone.depth / 2, 20)
            for place in itertools.product(xs.tolist(), zs.tolist()):
                near = space.point_query_nearest(place, math.inf, pymunk.ShapeFilter())
                assert near.distance >= 0.9, (stage.name, zone.name, place)


def test_records_hold_what_the_files_say(packaged):
    stage, record = packaged.models[2], packaged.table[2]
    assert (record.width, record.depth) == (stage.size.width, stage.size.depth)
    assert (record.start_x, record.start_z) == (stage.start.x, stage.start.z)
    assert record.wave_count == len(stage.waves)
    assert record.zone_count == len(stage.zones)
    for wave, wave_record in zip(stage.waves, record.waves, strict=False):
        for group, row in zip(wave.groups, wave_record.groups, strict=False):
            assert ENEMY_TYPES[row.kind] == group.type
            assert stage.zones[row.zone].name == group.zone
            assert row.delay == round(60 * group.delay)
            assert row.spacing == round(60 * group.spacing)
    for hazard, row in zip(stage.hazards, record.hazards, strict=False):
        assert row.radius == hazard.radius
        if isinstance(hazard, Spikes):
            assert (row.track[0] == (hazard.x, hazard.z)).all()
            assert (row.down, row.warn, row.up) == tuple(
                round(60 * time) for time in (hazard.down, hazard.warn, hazard.up)
            )
        else:
            assert row.closed == hazard.closed
            assert (row.track[: row.point_count] == hazard.track).all()


def test_limits_match_the_engine():
    assert MAX_ALIVE == MAX_ENEMIES
    from arena_breaker_gym.engine.player import RADIUS

    assert PLAYER_ROOM == RADIUS


def test_the_digest_tells_stages_apart_and_is_the_same_in_any_process(packaged, tmp_path):
    file = tmp_path / "mine.json"
    digests = []
    for count in (5, 6):
        file.write_text(json.dumps(changed("waves", 0, "groups", 0, "count", to=count)))
        digests.append(load_campaign([file]).digest)
    assert len({*digests, packaged.digest}) == 3
    code = "from arena_breaker_gym.stages.loader import load_campaign as l; print(l().digest)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == packaged.digest


def test_the_schema_is_json_and_names_every_part(packaged):
    schema = json.loads(json.dumps(stage_schema()))
    assert set(schema["required"]) == {"name", "size", "start", "zones", "waves"}
    assert {"Circle", "Box", "Polygon", "Saw", "Spikes"} <= set(schema["$defs"])
    assert schema["additionalProperties"] is False


def test_models_are_frozen(packaged):
    with pytest.raises(ValueError, match="frozen"):
        packaged.models[0].name = "other"


@pytest.mark.parametrize("kind", ["saw", "spikes"])
def test_a_hazard_keeps_to_the_observations_bound(tmp_path, kind):
    radius = TABLES["hazards"][1]
    saw = {"type": "saw", "track": [[-2, -3.5], [2, -3.5]]}
    hazard = saw if kind == "saw" else {"type": "spikes", "x": 3, "z": 3}
    message = refused(tmp_path, changed("hazards", to=[{**hazard, "radius": radius + 0.01}]))
    assert "at most 2" in message
    file = tmp_path / "good.json"
    file.write_text(
        json.dumps(changed("obstacles", to=[]) | {"hazards": [{**hazard, "radius": radius}]})
    )
    env = gym.make("ArenaBreaker-v0", stages=[str(file)], observation="state")
    assert env.observation_space.contains(env.reset(seed=0)[0])


@pytest.mark.parametrize(
    ("step", "place"),
    [
        ("hazards", [{"type": "spikes", "x": 25, "z": 0}]),
        ("hazards", [{"type": "saw", "track": [[20, 20], [25, 20]]}]),
        ("start", {"x": 20, "z": 0}),
    ],
)
def test_nothing_lies_beyond_the_walls(tmp_path, step, place):
    assert "beyond the walls" in refused(tmp_path, changed(step, to=place))


def test_a_gap_in_which_somebody_would_be_squeezed_is_refused(tmp_path):
    pillars = [
        {"shape": "box", "x": x, "z": 0, "width": 2, "depth": 1} for x in (-4.0, -1.5)
    ]  # half a metre apart
    message = refused(tmp_path, changed("obstacles", to=pillars) | {"start": {"x": 2, "z": 0}})
    assert "m wide, in which" in message and "would be stuck" in message


def test_the_largest_enemy_fits_wherever_it_is_needed(tmp_path):
    fence = [
        {"shape": "box", "x": -4.1, "z": 3.5, "width": 5.8, "depth": 0.4},
        {"shape": "box", "x": 4.1, "z": 3.5, "width": 5.8, "depth": 0.4},
    ]  # a gap of 2.4 m between them: enough for all
    stage = changed("obstacles", to=fence) | {"hazards": []}
    stage["waves"] = [{"groups": [{"type": "sentinel", "count": 1, "zone": "south"}]}]
    file = tmp_path / "good.json"
    file.write_text(json.dumps(stage))
    load_campaign([file])
    fence[0]["width"] = fence[1]["width"] = 5.8 + 0.45
    fence[0]["x"], fence[1]["x"] = -4.1 + 0.225, 4.1 - 0.225  # 1.5 m are left
    assert "a sentinel" in refused(tmp_path, stage)


def test_the_checks_know_the_enemies_radii():
    assert [RADII[name] for name in ENEMY_TYPES[1:]] == ENEMY_RADIUS[1:].tolist()
