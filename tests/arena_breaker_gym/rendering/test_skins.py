"""Skins: other pixels, the same game; every announcement of an attack stays to be seen."""

import json

import numpy as np
import pytest

from arena_breaker_agents.scripted import ScriptedBaseline
from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.engine.roster import charger, sentinel, shooter
from arena_breaker_gym.engine.roster.bomber import FUSE
from arena_breaker_gym.engine.shots import RELOAD
from arena_breaker_gym.rendering import skins
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.rollout import replay, rollout
from arena_breaker_gym.rollout.episode import Plan
from arena_breaker_gym.settings import Settings
from arena_breaker_gym.stages.loader import stage_schema
from arena_breaker_gym.stages.table import BOMBER, CHARGER, SENTINEL, SHOOTER

SIZE = 256
NAMES = skins.names()


@pytest.fixture(scope="module")
def arenas():
    arenas = Arenas(Settings(), count=1)
    arenas.reset(0, (1, 2))
    return arenas


@pytest.fixture(scope="module", params=NAMES)
def renderer(request, arenas):
    return Renderer(arenas.loaded.models, size=SIZE, skin=request.param)


def frame_with(renderer, arenas, *, player=None, **enemy):
    records = arenas.records.copy()
    for name, value in (player or {}).items():
        records["player"][name] = value
    if enemy:
        one = records["enemies"][0, 0]
        values = {"x": 3.0, "z": -2.0, "heading_x": 1.0, "heading_z": 0.0, "hp": 3, **enemy}
        for name, value in values.items():
            one[name] = value
        records["enemies"][0, 0] = one
    return renderer.compose(records)[0].astype(int)


def difference(left, right, *, by=40):
    """Pixels that differ so much that one sees it."""
    return int((np.abs(left - right).max(axis=-1) > by).sum())


def test_there_are_at_least_nine():
    assert len(NAMES) >= 9
    assert "default" in NAMES
    assert list(NAMES) == sorted(NAMES)
    assert [skins.load(name).name for name in NAMES] == list(NAMES)


def test_all_sets_of_figures_and_most_textures_are_used():
    every = [skins.load(name) for name in NAMES]
    assert {one.shape.figures for one in every} == {"machines", "toys", "glyphs", "creatures"}
    assert len({one.ground.texture for one in every}) >= 6


def test_what_is_to_be_known_is_to_be_seen_in_every_skin(renderer, arenas):
    def shown(**enemy):
        return frame_with(renderer, arenas, **enemy)

    bare = shown()
    pairs = {
        "dash": (shown(player={"dash_cooldown": 30}), shown(player={"dash_cooldown": 0})),
        "grace": (shown(player={"grace": 6}), shown(player={"grace": 0})),
        "hit": (shown(kind=SHOOTER), shown(kind=SHOOTER, flash=3)),
        "shooter": (shown(kind=SHOOTER), shown(kind=SHOOTER, phase=shooter.TELEGRAPH, clock=5)),
        "charger": (shown(kind=CHARGER), shown(kind=CHARGER, phase=charger.WIND_UP)),
        "stunned": (shown(kind=CHARGER), shown(kind=CHARGER, phase=charger.STUNNED)),
        "bomber": (shown(kind=BOMBER), shown(kind=BOMBER, phase=FUSE, clock=5)),
        "sentinel": (shown(kind=SENTINEL), shown(kind=SENTINEL, phase=sentinel.RING, clock=5)),
        "aim": (
            shown(player={"heading_x": 1.0, "heading_z": 0.0}),
            shown(player={"heading_x": -1.0, "heading_z": 0.0}),
        ),
    }
    unseen = [name for name, (calm, other) in pairs.items() if difference(calm, other) < 5]
    assert not unseen
    for kind in range(1, 7):
        assert difference(bare, shown(kind=kind)) > 8, kind


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize("name", NAMES)
def test_a_shot_that_leaves_is_to_be_seen_in_every_skin(name, size, arenas):
    """The flash shows at once, in each of four headings, and is over before the next shot."""
    renderer = Renderer(arenas.loaded.models, size=size, skin=name)
    for heading_x, heading_z in ((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)):
        aim = {"heading_x": heading_x, "heading_z": heading_z}
        calm, fired, late = (
            frame_with(renderer, arenas, player={**aim, "reload": reload})
            for reload in (0, RELOAD, RELOAD // 2)
        )
        assert difference(calm, fired) >= (4 if size == 64 else 25)
        assert np.array_equal(calm, late)


def test_shots_show_where_they_fly(renderer, arenas):
    def with_shot(vx):
        records = arenas.records.copy()
        shot = records["enemy_shots"][0, 0]
        for name, value in {"live": 1, "x": 3.0, "z": -2.0, "vx": vx, "vz": 0.0}.items():
            shot[name] = value
        records["enemy_shots"][0, 0] = shot
        return renderer.compose(records)[0].astype(int)

    assert difference(with_shot(8.0), with_shot(-8.0), by=16) > 8


def test_skins_are_far_apart(arenas):
    models = arenas.loaded.models
    drawn = (Renderer(models, size=64, skin=name).compose(arenas.records) for name in NAMES)
    frames = [batch[0].astype(int) for batch in drawn]
    for index, one in enumerate(frames):
        for other in frames[:index]:
            assert np.abs(one - other).mean() > 12.0


def test_the_game_is_the_same_in_every_skin():
    terms = {"episodes": 2, "seed": 4, "max_steps": 60}
    plain = rollout(ScriptedBaseline(), **terms)
    for name in (*NAMES[:3], skins.RANDOM):
        dressed = rollout(ScriptedBaseline(), env={"skin": name}, **terms)
        assert [one.final_hash for one in dressed] == [one.final_hash for one in plain]


def test_random_picks_by_the_seed_and_keeps_to_it():
    terms = {"episodes": 6, "seed": 0, "max_steps": 3, "env": {"skin": "random", "pixel_size": 64}}
    episodes = rollout(ScriptedBaseline(), **terms)
    firsts = [next(iter(replay(one))) for one in episodes]
    lasts = [list(replay(one))[-1] for one in episodes]
    plain = {name: next(iter(replay(episodes[0], skin=name))) for name in NAMES}
    assert len({frame.tobytes() for frame in firsts}) >= 3
    for first, last in zip(firsts, lasts, strict=True):  # one skin from first to last
        near = {name: np.abs(first.astype(int) - frame).mean() for name, frame in plain.items()}
        again = {name: np.abs(last.astype(int) - frame).mean() for name, frame in plain.items()}
        assert min(near, key=near.get) == min(again, key=again.get)
    batch = Arenas(Settings(skin="random", pixel_size=64), count=6)
    for index, one in enumerate(episodes):
        plan = Plan(agent="a", settings=one.settings, seed=0, stages=(1,), max_steps=3)
        batch.reset(index, plan.keys_of(index))
    assert np.array_equal(batch.compose(), np.stack(firsts))


def test_a_skin_of_ones_own_is_a_json_file(tmp_path, arenas):
    mine = json.loads(skins.load("default").model_dump_json())
    mine |= {"name": "mine", "light": {"side": -1.0}, "finish": {"levels": 4}}
    mine["ground"]["texture"] = "hexes"
    (tmp_path / "mine.json").write_text(json.dumps(mine))
    own = Renderer(arenas.loaded.models, size=64, skin=str(tmp_path / "mine.json"))
    plain = Renderer(arenas.loaded.models, size=64)
    assert not np.array_equal(own.compose(arenas.records), plain.compose(arenas.records))
    mine["ground"]["texture"] = "carpet"
    (tmp_path / "bad.json").write_text(json.dumps(mine))
    with pytest.raises(ValueError, match=r"bad\.json: ground\.texture"):
        skins.load(tmp_path / "bad.json")


def file_with(folder, **entries):
    file = folder / "mine.json"
    file.write_text(json.dumps(entries))
    return file


def test_a_skin_with_a_parent_gives_only_what_differs(tmp_path):
    file = file_with(tmp_path, parent="garden", finish={"block": 2}, player={"body": "#123456"})
    mine, garden = skins.load(file), skins.load("garden")
    player = garden.player.model_copy(update={"body": "#123456"})
    finish = garden.finish.model_copy(update={"block": 2})
    told = {"name": "mine", "description": mine.description}
    assert mine == garden.model_copy(update={"player": player, "finish": finish, **told})
    without = skins.load(
        file_with(tmp_path, parent="garden", name="bare", ground={"surface": None})
    )
    assert (without.name, without.ground.surface) == ("bare", None)


def test_all_that_is_wrong_in_a_skin_is_told_at_once(tmp_path):
    bad = {"paernt": "ice", "finish": {"block": 9}, "player": {"bodi": 1}, "light": 3}
    file = file_with(tmp_path, parent="gardn", **bad)
    with pytest.raises(skins.SkinError) as caught:
        skins.load(file)
    faults = {fault.path: str(fault) for fault in caught.value.faults}
    assert set(faults) == {"parent", "paernt", "finish.block", "player.bodi", "light"}
    assert faults["parent"].endswith('(did you mean "garden"?).')
    assert faults["paernt"].endswith('(did you mean "parent"?).')
    assert faults["player.bodi"].endswith('(did you mean "body"?).')
    assert faults["finish.block"] == "finish.block: found 9, expected at most 4."
    assert faults["light"] == "light: found 3, expected an object in braces."
    assert str(caught.value) == f"{file}: {' '.join(faults.values())}"


def test_a_skin_without_a_parent_is_told_that_it_might_have_one(tmp_path):
    with pytest.raises(skins.SkinError) as caught:
        skins.load(file_with(tmp_path, name="half"))
    sentences = [str(fault) for fault in caught.value.faults]
    assert 'a "parent"' in sentences[0]
    assert not any("parent" in sentence for sentence in sentences[1:])
    assert str(caught.value).endswith(f" And {len(sentences) - 10} more are wrong.")


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_what_is_no_skin_at_all_is_refused_in_one_sentence(text, tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(text)
    with pytest.raises(skins.SkinError, match=r"mine\.json: found .*, expected .*\.$"):
        skins.load(file)
    with pytest.raises(skins.SkinError, match=r'found no such file.*did you mean ".*mine\.json"'):
        skins.load(tmp_path / "mien.json")


def test_the_schema_takes_whole_skins_and_changes_of_a_parent_and_nothing_else():
    jsonschema = pytest.importorskip("jsonschema")
    judge = jsonschema.Draft202012Validator(skins.schema())
    for name in NAMES:
        judge.validate(json.loads(skins.file_of(name).read_text()))
    judge.validate({"$schema": "s.json", "parent": "ice", "ground": {"surface": None, "tile": 1}})
    for bad in ({"name": "half"}, {"parent": "isce"}, {"parent": "ice", "player": {"bodi": "#1"}}):
        assert not judge.is_valid(bad)


@pytest.mark.parametrize("schema", [skins.schema, stage_schema])
def test_schemas_say_what_every_entry_means(schema):
    def silent(part, place):
        if isinstance(part, dict):
            for name, entry in part.get("properties", {}).items():
                if "description" not in entry:
                    yield f"{place}.{name}"
            for name, below in part.items():
                yield from silent(below, f"{place}.{name}")

    assert list(silent(schema(), "")) == []
