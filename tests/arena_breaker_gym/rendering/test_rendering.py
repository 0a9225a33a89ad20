"""Frames: the same for the same record, in any batch, with depth, and each thing to be seen."""

import functools
import itertools
import os
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest

from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.engine.shots import MUZZLE, RELOAD
from arena_breaker_gym.rendering import sheet, skins
from arena_breaker_gym.rendering.art import draw_sheet
from arena_breaker_gym.rendering.backdrop import paint
from arena_breaker_gym.rendering.camera import Camera
from arena_breaker_gym.rendering.floor import gates_of
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.rendering.skins import Shape
from arena_breaker_gym.settings import Settings
from arena_breaker_gym.stages.table import ENEMY_TYPES

SIZE = 256


@pytest.fixture(scope="module")
def renderer():
    return Renderer(Arenas(Settings(), count=1).loaded.models, size=SIZE)


def empty(stage=1, count=1):
    arenas = Arenas(Settings(), count=count)
    for index in range(count):
        arenas.reset(index, (1, index), stage=stage)
    return arenas


def put(arenas, x, z, *, kind=1, slot=0, **fields):
    enemy = arenas.records[0].enemies[slot]
    enemy.kind, enemy.x, enemy.z, enemy.heading_x, enemy.heading_z = kind, x, z, 1.0, 0.0
    for name, value in fields.items():
        setattr(enemy, name, value)


def changed(before, after):
    return (before != after).any(axis=-1)


def test_drawing_changes_no_byte_of_the_record_and_repeats_itself(renderer):
    arenas = empty(count=3)
    for _ in range(200):
        arenas.step(np.full((3, 5), 0.4))
    kept = arenas.records.tobytes()
    first = renderer.compose(arenas.records).copy()
    assert arenas.records.tobytes() == kept
    assert np.array_equal(renderer.compose(arenas.records), first)
    for index in range(3):
        alone = renderer.compose(arenas.records[index : index + 1])
        assert np.array_equal(alone[0], first[index])


def test_arenas_on_different_stages_share_a_batch(renderer):
    arenas = Arenas(Settings(), count=3)
    for index in range(3):
        arenas.reset(index, (1, 2), stage=index + 1)
    frames = renderer.compose(arenas.records)
    assert len({frame.tobytes() for frame in frames}) == 3


@pytest.mark.parametrize("kind", range(1, 7))
def test_each_enemy_shows_at_its_place_and_looks_like_no_other(renderer, kind):
    floor = renderer.compose(empty().records)[0].copy()
    pictures = {}
    for other in range(1, 7):
        arenas = empty()
        put(arenas, 3.0, 0.0, kind=other)
        pictures[other] = renderer.compose(arenas.records)[0].copy()
    rows, columns = np.nonzero(changed(floor, pictures[kind]))
    column, row = Camera.over(18, 20, SIZE).project(3.0, 0.0)
    assert abs(columns.mean() - column) < 6 and abs(rows.mean() - row) < 10
    for other, picture in pictures.items():
        assert other == kind or changed(picture, pictures[kind]).sum() > 40, ENEMY_TYPES[other]


@pytest.mark.parametrize(
    ("kind", "phase", "clock"),
    [(2, 1, 10), (3, 1, 20), (3, 2, 20), (3, 3, 20), (5, 1, 20), (6, 1, 10), (6, 2, 10)],
)
def test_what_an_enemy_is_about_to_do_can_be_seen(renderer, kind, phase, clock):
    calm, busy = empty(), empty()
    put(calm, 3.0, 0.0, kind=kind)
    put(busy, 3.0, 0.0, kind=kind, phase=phase, clock=clock)
    difference = changed(renderer.compose(calm.records)[0], renderer.compose(busy.records)[0])
    assert difference.sum() > 20


@pytest.mark.parametrize(
    "fields",
    [{"dash_cooldown": 30}, {"grace": 36}, {"dash": 5, "dash_x": 1.0}, {"heading_x": 1.0}],
    ids=["cooling", "grace", "dashing", "aiming"],
)
def test_the_players_state_can_be_seen(renderer, fields):
    plain, other = empty(), empty()
    for name, value in fields.items():
        setattr(other.records[0].player, name, value)
    if "heading_x" in fields:
        other.records[0].player.heading_z = 0.0
    difference = changed(renderer.compose(plain.records)[0], renderer.compose(other.records)[0])
    assert difference.sum() > 15


def test_the_gun_flashes_on_the_tick_of_a_shot_and_no_more_before_the_next(renderer):
    """Eleven ticks from shot to shot; a loaded gun shows no flash, all else is the same."""
    arenas = Arenas(Settings(frame_skip=1), count=1)
    arenas.reset(0, (1, 2), stage=1)
    aim = np.array([[0.0, 0.0, 1.0, 0.0, 0.0]])
    flashes = []
    for _ in range(2 * RELOAD):
        arenas.step(aim)
        loaded = arenas.records.copy()
        loaded["player"]["reload"] = 0
        difference = changed(renderer.compose(arenas.records)[0], renderer.compose(loaded)[0])
        flashes.append(difference.any())
        if difference.any():
            rows, columns = np.nonzero(difference)
            column, row = Camera.over(18, 20, SIZE).project(MUZZLE + 0.4, 0.0, 0.4)
            assert abs(columns.mean() - column) < 8 and abs(rows.mean() - row) < 5
    shown = [True] * sheet.MUZZLE_FLASH_TICKS
    assert flashes == 2 * (shown + [False] * (RELOAD - len(shown)))


def test_spikes_show_their_three_phases(renderer):
    frames = []
    for phase in range(3):
        arenas = empty()
        spikes = next(one for one in arenas.records[0].hazards if one["kind"] == 2)
        spikes["phase"] = phase
        frames.append(renderer.compose(arenas.records)[0].copy())
    assert changed(frames[0], frames[1]).sum() > 30
    assert changed(frames[1], frames[2]).sum() > 30


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_a_floor_is_the_same_whenever_it_is_painted_and_another_for_each_stage(stage):
    model = empty().loaded.models[stage - 1]
    camera = Camera.over(model.size.width, model.size.depth, SIZE)
    painted = [paint(model, skins.load("default"), camera).picture for _ in range(2)]
    assert np.array_equal(*painted)
    named = model.model_copy(update={"name": "Another Place"})
    assert not np.array_equal(painted[0], paint(named, skins.load("default"), camera).picture)


@functools.cache
def raised(stage):
    """(SIZE, SIZE) bool: where walls and obstacles are seen; the same in every skin."""
    model = empty().loaded.models[stage - 1]
    return paint(model, skins.load("default"), camera_over(model)).depth > -1e8


THINGS = {
    "shots": {"live": 1, "vx": 18.0},
    "enemy_shots": {"live": 1, "vx": 8.0},
    "enemies": {"kind": 1, "hp": 1, "heading_x": 1.0},
}


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize(("place", "skin"), list(enumerate(skins.names())))
def test_shots_and_swarmers_stand_out_from_any_spot_of_the_floor(place, skin, thing):
    """Seams, lines, bands and stains hide neither: put anywhere, each changes many pixels."""
    stage = place % 3 + 1
    arenas = empty(stage=stage)
    model = arenas.loaded.models[stage - 1]
    renderer, bare = Renderer(arenas.loaded.models, size=SIZE, skin=skin), arenas.records
    floor = renderer.compose(bare)[0].astype(int)
    half = model.size.width / 2 - 1.0, model.size.depth / 2 - 1.0
    seen = []
    for x, z in np.random.default_rng(3).uniform(-1.0, 1.0, (24, 2)) * half:
        column, row = (round(at) for at in camera_over(model).project(x, z, 0.3))
        if raised(stage)[row - 8 : row + 8, column - 8 : column + 8].any():
            continue  # a wall may hide it
        records = bare.copy()
        one = records[thing][0, 0]
        for name, value in {"x": x, "z": z, **THINGS[thing]}.items():
            one[name] = value
        records[thing][0, 0] = one
        frame = renderer.compose(records)[0].astype(int)
        seen.append((np.abs(frame - floor).max(axis=-1) > 40).sum())
    assert len(seen) > 8 and min(seen) >= 8


def camera_over(model):
    return Camera.over(model.size.width, model.size.depth, SIZE)


def test_walls_have_gates_where_enemies_come_in():
    """A gate for every zone by a wall, none for the keep in the middle, and each is dark."""
    for model in empty().loaded.models:
        gates = gates_of(model)
        assert len(gates) == 4 and len({gate.inwards for gate in gates}) == 4
        picture = paint(model, skins.load("default"), camera_over(model)).picture.astype(int)
        (north,) = (gate for gate in gates if gate.inwards == (0, 1))
        column, row = camera_over(model).project(north.x, north.z, 0.4)
        beside, _ = camera_over(model).project(north.x + north.half + 0.8, north.z)
        dark, wall = (picture[round(row), round(at)].mean() for at in (column, beside))
        assert dark < 0.7 * wall


def test_what_stands_behind_an_obstacle_is_hidden_and_what_stands_before_it_is_not(renderer):
    """Stage 2 has a pillar; a swarmer close behind its foot is covered, one in front is not."""
    floor = renderer.compose(empty(stage=2).records)[0].copy()
    model = Arenas(Settings(), count=1).loaded.models[1]
    pillar = next(one for one in model.obstacles if one.shape == "circle")
    visible = {}
    for name, z in (("behind", pillar.z - 0.9), ("before", pillar.z + 1.3), ("free", 0.0)):
        arenas = empty(stage=2)
        arenas.records[0].player.x = 8.0
        base = renderer.compose(arenas.records)[0].copy()
        put(arenas, pillar.x if name != "free" else 0.0, z)
        visible[name] = changed(base, renderer.compose(arenas.records)[0]).sum()
    assert floor.any()
    assert visible["behind"] < 0.5 * visible["free"]
    assert visible["before"] > 0.8 * visible["free"]


@pytest.mark.parametrize("size", [64, 84, 96, 128, 512])
def test_every_size_is_drawn(size):
    arenas = empty()
    put(arenas, 3.0, 0.0)
    frame = Renderer(arenas.loaded.models, size=size).compose(arenas.records)[0]
    assert frame.shape == (size, size, 3) and frame.std() > 10


def test_things_beyond_the_frame_do_no_harm(renderer):
    arenas = empty()
    player = arenas.records[0].player
    player.x = player.z = 1e6
    bare = renderer.compose(arenas.records)
    far = [(-40.0, 0.0), (40.0, 0.0), (0.0, -40.0), (0.0, 40.0), (-1e6, 0.0), (1e12, 1e12)]
    for slot, place in enumerate(far):
        put(arenas, *place, slot=slot, kind=6)
    assert np.array_equal(renderer.compose(arenas.records), bare)


def test_what_the_frame_cuts_does_not_come_in_on_the_other_side(renderer):
    right = 9.6  # m, in the wall: the frame's edge cuts the tower
    calm, cut = empty(), empty()
    put(cut, right, 0.0, kind=6, phase=1, clock=1)
    difference = changed(renderer.compose(calm.records)[0], renderer.compose(cut.records)[0])
    columns = np.nonzero(difference.any(axis=0))[0]
    assert len(columns) > 0 and columns.min() > 0.75 * SIZE


def test_marks_on_the_floor_stay_off_obstacles(renderer):
    """A lit bomber before a pillar: the ring of its blast lies on the floor about the pillar."""
    model = empty().loaded.models[1]
    pillar = next(one for one in model.obstacles if one.shape == "circle")
    camera = Camera.over(model.size.width, model.size.depth, SIZE)
    calm, lit = empty(stage=2), empty(stage=2)
    for arenas in (calm, lit):
        put(arenas, pillar.x, pillar.z + 1.35, kind=5)
    put(lit, pillar.x, pillar.z + 1.35, kind=5, phase=1, clock=16)
    difference = changed(renderer.compose(calm.records)[0], renderer.compose(lit.records)[0])
    column, top = camera.project(pillar.x, pillar.z + 0.6 * pillar.radius, pillar.height)
    beside, row = camera.project(pillar.x + pillar.radius + 0.5, pillar.z + 0.5)
    assert not difference[round(top), round(column)]
    assert difference[round(row), round(beside)]


PLAIN_PYTHON = """
import hashlib
import numpy as np
from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.settings import Settings
arenas = Arenas(Settings(), count=1)
arenas.reset(0, (1, 2), stage=3)
for _ in range(60):
    arenas.step(np.full((1, 5), 0.4))
frame = Renderer(arenas.loaded.models, size=64).compose(arenas.records)
print(hashlib.sha256(frame.tobytes()).hexdigest())
"""


def test_the_same_bytes_without_the_compiler():
    digests = {
        subprocess.run(
            [sys.executable, "-c", PLAIN_PYTHON],
            env={**os.environ, "NUMBA_DISABLE_JIT": off},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for off in ("0", "1")
    }
    assert len(digests) == 1


def test_bad_sizes_frames_and_skins_are_refused_in_one_sentence():
    models = empty().loaded.models
    with pytest.raises(ValueError, match="32 to 1024"):
        Renderer(models, size=16)
    with pytest.raises(ValueError, match="did you mean 'default'"):
        Renderer(models, skin="defaut")
    with pytest.raises(ValueError, match="contiguous writeable uint8"):
        Renderer(models, size=64).compose(empty().records, np.zeros((1, 64, 64, 3)))


def test_a_skin_file_of_ones_own_is_checked(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(skins.load("default").model_dump_json())
    assert skins.load(file).name == "default"
    file.write_text('{"name": "half"}')
    with pytest.raises(ValueError, match=r"mine\.json: description"):
        skins.load(file)


SETS = get_args(Shape.model_fields["figures"].annotation)
PIXELS_A_METRE = 12.0  # as in a frame of 256 pixels
# Each figure's first sprite, and how many sprites there are to one of its phases.
FIGURES = {
    "player": (sheet.PLAYER_AT, sheet.HEADINGS),
    "swarmer": (sheet.SWARMER_AT, sheet.HEADINGS),
    "shooter": (sheet.SHOOTER_AT, sheet.HEADINGS),
    "charger": (sheet.CHARGER_AT, sheet.HEADINGS),
    "splitter": (sheet.SPLITTER_AT, 1),
    "bomber": (sheet.BOMBER_AT, 1),
    "sentinel": (sheet.SENTINEL_AT, 1),
}
PHASES = {"player": 2, "swarmer": 2, "shooter": 2, "charger": 4, "bomber": 3, "sentinel": 5}


def drawn_by(figures, **measures):
    skin = skins.load("default")
    shape = skin.shape.model_copy(update={"figures": figures, **measures})
    return draw_sheet(skin.model_copy(update={"shape": shape}), PIXELS_A_METRE)


kept_sheet = functools.cache(drawn_by)


def pasted(sprite, row, column):
    """The sprite's pixels in an empty square, a point of it in the middle."""
    square = np.zeros((128, 128, 4), np.int16)
    height, width = sprite.pixels.shape[:2]
    square[64 - row : 64 - row + height, 64 - column : 64 - column + width] = sprite.pixels
    return square


def silhouette(sprite):
    rows, columns = np.nonzero(sprite.pixels[..., 3] > 127)
    return pasted(sprite, round(rows.mean()), round(columns.mean()))[..., 3] > 127


def differing(first, second):
    """How many pixels of two sprites at one place are clearly not the same."""
    squares = [pasted(sprite, sprite.anchor_y, sprite.anchor_x) for sprite in (first, second)]
    return (abs(squares[0] - squares[1]).max(axis=-1) > 40).sum()


@pytest.mark.parametrize("measures", [{}, {"height_scale": 0.3}, {"height_scale": 2.0}], ids=str)
@pytest.mark.parametrize("figures", SETS)
def test_every_set_draws_every_figure_about_its_place(figures, measures):
    sprites = drawn_by(figures, **measures) if measures else kept_sheet(figures)
    assert len(sprites) == sheet.SPRITES
    player = range(sheet.PLAYER_AT, sheet.DASH_RING_AT)
    for number in [*range(sheet.SHADOW_AT), *player]:
        sprite = sprites[number]
        height, width = sprite.pixels.shape[:2]
        assert 0 <= sprite.anchor_x < width and 0 <= sprite.anchor_y < height
        assert (sprite.pixels[..., 3] > 200).sum() > 20


@pytest.mark.parametrize("figures", SETS)
def test_no_two_figures_of_a_set_share_a_silhouette_in_any_heading(figures):
    sprites = kept_sheet(figures)
    masks = {
        name: [silhouette(sprites[first + turn]) for turn in range(0, count, 4)]
        for name, (first, count) in FIGURES.items()
    }
    for one, other in itertools.combinations(FIGURES, 2):
        for mask, another in itertools.product(masks[one], masks[other]):
            assert (mask & another).sum() / (mask | another).sum() < 0.8, (one, other)


@pytest.mark.parametrize("name", PHASES)
@pytest.mark.parametrize("figures", SETS)
def test_each_phase_of_a_figure_looks_different(figures, name):
    sprites = kept_sheet(figures)
    first, count = FIGURES[name]
    for one, other in itertools.combinations(range(PHASES[name]), 2):
        for turn in range(0, count, 8):
            pair = (sprites[first + phase * count + turn] for phase in (one, other))
            assert differing(*pair) >= 8, (one, other, turn)


@pytest.mark.parametrize("name", [name for name, (_, count) in FIGURES.items() if count > 1])
@pytest.mark.parametrize("figures", SETS)
def test_a_figure_shows_where_it_heads(figures, name):
    sprites = kept_sheet(figures)
    first, count = FIGURES[name]
    for turn in range(count):
        for away in (2, count // 4, count // 2):
            pair = sprites[first + turn], sprites[first + (turn + away) % count]
            assert differing(*pair) >= 8, (turn, away)
