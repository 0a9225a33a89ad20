"""The baked fields and the compiled look-ups, held against Chipmunk's own queries.

Chipmunk (pymunk) is the independent judge. The distance field is sampled on a grid and read
bilinearly, so for walls the judge is asked twice: with a circle fatter and with one thinner
by what the grid may be wrong. As distances grow by at most a metre a metre, that is half the
diagonal of a cell, reached only where a cell's middle is a place farthest from all walls;
half of all places are right to a hundredth of an interval.
"""

import math
import subprocess
import sys

import numba
import numpy as np
import pymunk
import pytest

from arena_breaker_gym.engine.space import (
    SEPARATIONS,
    distance_at,
    in_sight,
    normal_at,
    push_out,
    sweep_circle,
    sweep_walls,
    walk,
)
from arena_breaker_gym.stages import loader
from arena_breaker_gym.stages.fields import (
    STEPS,
    bake_distance,
    bake_flow,
    build_space,
    walkable_cells,
)
from arena_breaker_gym.stages.loader import FOLDER_VARIABLE, load_campaign, plan_of
from arena_breaker_gym.stages.model import Stage, area_of, crossing_edges, triangles_of
from arena_breaker_gym.stages.table import DISTANCE_NODES, FLOW_CELLS

STAGES, SCENES_A_STAGE = 10, 1000  # 10,000 scenes of each kind; a stage takes a second to bake
EVERYTHING = pymunk.ShapeFilter()
NEVER = 2.0
SMALLEST, LARGEST = 0.15, 0.8  # m: a shot's radius, the sentinel's
CELLS = FLOW_CELLS**2


class Scene:
    """A stage with its space, its record and its distance field."""

    def __init__(self, stage):
        self.stage = stage
        self.space = build_space(stage)
        self.plans = plan_of(stage)
        self.plan = self.plans[0]
        self.plan.distance = bake_distance(stage, self.space)
        self.distance = self.plan.distance
        self.interval = max(stage.size.width, stage.size.depth) / (DISTANCE_NODES - 1)
        self.tolerance = self.interval / math.sqrt(2)

    def true_distance(self, x, z):
        return self.space.point_query_nearest((x, z), math.inf, EVERYTHING).distance

    def alpha(self, start, end, radius):
        """Share of the way at which Chipmunk lets a circle touch its first shape."""
        # Shape by shape: a space's own thick query overlooks shapes whose box the line misses.
        answers = [shape.segment_query(start, end, radius) for shape in self.space.shapes]
        return min([answer.alpha for answer in answers if answer], default=NEVER)

    def places(self, rng, count, *, nearest=-math.inf, farthest=math.inf):
        """Random places on the floor, at a true distance to walls between two limits."""
        half = np.array([self.plan.width, self.plan.depth]) / 2
        places = []
        while len(places) < count:
            x, z = rng.uniform(-half, half)
            if nearest <= self.true_distance(x, z) < farthest:
                places.append((x, z))
        return places


def stage_of(obstacles, *, width=16.0, depth=14.0):
    return Stage.model_validate(
        {
            "name": "test",
            "size": {"width": width, "depth": depth},
            "start": {"x": 0.0, "z": 0.0},
            "obstacles": tuple(obstacles),
            "zones": ({"name": "all", "x": 0.0, "z": 0.0, "width": 1.0, "depth": 1.0},),
            "waves": ({"groups": ({"type": "swarmer", "count": 1, "zone": "all"},)},),
        }
    )


def random_obstacle(rng, width, depth):
    x = float(rng.uniform(-width / 2, width / 2))
    z = float(rng.uniform(-depth / 2, depth / 2))
    kind = rng.integers(3)
    if kind == 0:
        return {"shape": "circle", "x": x, "z": z, "radius": float(rng.uniform(0.2, 1.6))}
    if kind == 1:
        sides = {"width": float(rng.uniform(0.4, 4.0)), "depth": float(rng.uniform(0.4, 4.0))}
        return {"shape": "box", "x": x, "z": z, **sides, "angle": float(rng.uniform(-3, 3))}
    corners = int(rng.integers(3, 10))
    angles = (np.arange(corners) + rng.uniform(0.0, 0.6, corners)) * math.tau / corners
    radii = rng.uniform(0.5, 2.5, corners)
    points = [
        (x + float(r * np.cos(a)), z + float(r * np.sin(a)))
        for r, a in zip(radii, angles, strict=True)
    ]
    return {"shape": "polygon", "points": tuple(points if rng.random() < 0.5 else points[::-1])}


@pytest.fixture(scope="module")
def scenes():
    rng = np.random.default_rng(2024)
    made = []
    for _ in range(STAGES):
        width, depth = (float(side) for side in rng.uniform(12.0, 32.0, 2))
        obstacles = [random_obstacle(rng, width, depth) for _ in range(rng.integers(2, 9))]
        made.append(Scene(stage_of(obstacles, width=width, depth=depth)))
    return made


@pytest.fixture(scope="module")
def campaign():
    return load_campaign()


def test_circle_sweeps_agree_with_chipmunk_on_10000_random_scenes():
    rng = np.random.default_rng(1)
    body = pymunk.Space().static_body
    met = 0
    for x, z, dx, dz, aside, ahead in rng.uniform(-3.0, 3.0, (10_000, 6)):
        radius, own = rng.uniform(0.1, 1.0, 2)
        cx, cz = x + ahead * dx + 0.4 * aside, z + ahead * dz - 0.4 * aside
        circle = pymunk.Circle(body, radius, (cx, cz))
        circle.cache_bb()  # lets Chipmunk know where it is
        share = sweep_circle(x, z, dx, dz, cx, cz, radius + own)
        begins_within = circle.point_query((x, z)).distance <= own
        answer = circle.segment_query((x, z), (x + dx, z + dz), own)
        expected = 0.0 if begins_within else answer.alpha if answer else NEVER
        assert share == pytest.approx(expected, rel=1e-6, abs=1e-9)
        met += 0.0 < expected <= 1.0
    assert met > 1_000


def test_a_point_that_stands_still_meets_only_what_it_is_in():
    assert sweep_circle(0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 1.0) == 0.0
    assert sweep_circle(0.0, 0.0, 0.0, 0.0, 5.0, 0.0, 1.0) == NEVER


def test_distances_agree_with_chipmunk_on_10000_random_places(scenes):
    rng = np.random.default_rng(2)
    errors = []
    for scene in scenes:
        for x, z in scene.places(rng, SCENES_A_STAGE, nearest=SMALLEST):
            true = scene.true_distance(x, z)
            found = distance_at(scene.plan, x, z)
            assert found == pytest.approx(true, abs=scene.tolerance)
            errors.append(abs(found - true) / scene.interval)
    assert np.median(errors) < 0.01  # of an interval: the worst is rare


def test_whatever_is_inside_for_chipmunk_is_inside_for_the_field(scenes):
    rng = np.random.default_rng(6)
    for scene in scenes:
        for x, z in scene.places(rng, SCENES_A_STAGE // 20, farthest=0.0):
            assert distance_at(scene.plan, x, z) < scene.tolerance


def test_wall_sweeps_agree_with_chipmunk_on_10000_random_scenes(scenes):
    rng = np.random.default_rng(3)
    stopped = 0
    for scene in scenes:
        for _ in range(SCENES_A_STAGE):
            radius, length, angle = rng.uniform((SMALLEST, 0.05, 0.0), (LARGEST, 6.0, math.tau))
            ((x, z),) = scene.places(rng, 1, nearest=radius + scene.tolerance)
            dx, dz = length * math.cos(angle), length * math.sin(angle)
            share = sweep_walls(scene.plan, x, z, dx, dz, radius)
            assert 0.0 <= share <= 1.0
            stopped += share < 1.0
            fat = scene.alpha((x, z), (x + dx, z + dz), radius + scene.tolerance)
            thin = scene.alpha((x, z), (x + dx, z + dz), radius - scene.tolerance)
            assert share <= thin
            assert share >= min(fat, 1.0) - 1e-9
    assert stopped > 2_000


def test_sight_lines_agree_with_chipmunk(scenes):
    rng = np.random.default_rng(4)
    seen = 0
    for scene in scenes:
        starts = scene.places(rng, SCENES_A_STAGE // 10, nearest=0.3 + scene.tolerance)
        ends = scene.places(rng, SCENES_A_STAGE // 10)
        for (x0, z0), (x1, z1) in zip(starts, ends, strict=True):
            sight = in_sight(scene.plan, x0, z0, x1, z1, 0.3)
            seen += sight
            if sight:
                assert scene.alpha((x0, z0), (x1, z1), 0.3 - scene.tolerance) == NEVER
            else:
                assert scene.alpha((x0, z0), (x1, z1), 0.3 + scene.tolerance) <= 1.0
    assert seen > 100


def separated_by_chipmunk(scene, x, z, radius):
    """The rules' way out of walls, but along Chipmunk's exact distances."""
    for _ in range(SEPARATIONS):
        answer = scene.space.point_query_nearest((x, z), math.inf, EVERYTHING)
        overlap = radius - answer.distance
        if overlap <= 0.0:
            break
        x, z = x + answer.gradient.x * overlap, z + answer.gradient.y * overlap
    return x, z


def test_separations_agree_with_chipmunk_on_10000_random_scenes(scenes):
    rng = np.random.default_rng(5)
    led_out = 0
    for scene in scenes:
        for _ in range(SCENES_A_STAGE):
            radius = rng.uniform(SMALLEST, LARGEST)
            # No body goes farther in a tick than its radius, so no middle gets inside a wall.
            ((x, z),) = scene.places(rng, 1, nearest=0.0, farthest=radius)
            new_x, new_z = push_out(scene.plan, x, z, radius)
            out = separated_by_chipmunk(scene, x, z, radius)
            # In a gap too narrow for the circle there is no way out, or one through an obstacle.
            near = math.dist((x, z), out) <= 2.0 * radius
            if near and scene.true_distance(*out) >= radius - 1e-6:
                led_out += 1
                assert scene.true_distance(new_x, new_z) >= radius - scene.tolerance
    assert led_out > 8_000


def test_a_circle_clear_of_walls_is_not_moved(scenes):
    rng = np.random.default_rng(7)
    for scene in scenes:
        for x, z in scene.places(rng, SCENES_A_STAGE // 20, nearest=0.5 + scene.tolerance):
            assert push_out(scene.plan, x, z, 0.5) == (x, z)


@pytest.mark.parametrize("depth", [0.05, 0.2, 0.4])
def test_a_circle_inside_an_obstacle_leaves_by_the_nearest_side(depth):
    scene = Scene(stage_of([{"shape": "box", "x": 3.0, "z": 0.0, "width": 1.0, "depth": 3.0}]))
    x, z = push_out(scene.plan, 2.5 + depth, 0.3, 0.4)
    assert x == pytest.approx(2.1, abs=0.01)
    assert z == pytest.approx(0.3, abs=0.01)


def test_a_circle_past_the_outer_wall_comes_back_onto_the_floor():
    scene = Scene(stage_of([]))
    edges = scene.distance[[0, -1]], scene.distance[:, [0, -1]]
    assert all((edge == 0.0).all() for edge in edges)
    x, z = push_out(scene.plan, 30.0, -1.0, 0.4)
    assert (x, z) == pytest.approx((7.6, -1.0), abs=1e-6)


def test_a_circle_against_a_wall_slides_and_leaves_but_goes_no_deeper():
    scene = Scene(stage_of([]))
    x, z = push_out(scene.plan, 7.9, 0.0, 0.4)
    assert sweep_walls(scene.plan, x, z, 0.2, 0.0, 0.4) < 0.01
    assert sweep_walls(scene.plan, x, z, 0.0, 0.2, 0.4) == 1.0
    assert sweep_walls(scene.plan, x, z, -0.2, 0.0, 0.4) == 1.0
    assert sweep_walls(scene.plan, x, z, 0.0, 0.0, 0.4) == 1.0


def test_normals_point_away_from_the_nearest_wall():
    scene = Scene(stage_of([{"shape": "circle", "x": 0.0, "z": 0.0, "radius": 1.0}]))
    for angle in np.linspace(0.0, math.tau, 50):
        away = math.cos(angle), math.sin(angle)
        normal = normal_at(scene.plan, 1.5 * away[0], 1.5 * away[1])
        assert normal == pytest.approx(away, abs=0.05)
    # A plateau has none, and a NaN does no harm.
    flat = scene.plans.copy()
    flat["distance"] = 1.0
    assert normal_at(flat[0], 0.0, 0.0) == (0.0, 0.0)
    assert math.isfinite(distance_at(scene.plan, math.nan, 1e9))


SEAMED = {
    "two boxes side by side": [
        {"shape": "box", "x": -1.0, "z": 0.0, "width": 2.0, "depth": 2.0},
        {"shape": "box", "x": 1.0, "z": 0.0, "width": 2.0, "depth": 2.0},
    ],
    "one box with a notch filled": [
        {
            "shape": "polygon",
            "points": (
                (-2, -1),
                (-0.5, -1),
                (-0.5, 0),
                (0.5, 0),
                (0.5, -1),
                (2, -1),
                (2, 1),
                (-2, 1),
            ),
        },
        {"shape": "box", "x": 0.0, "z": -0.5, "width": 1.0, "depth": 1.0},
    ],
    "two boxes that overlap": [
        {"shape": "box", "x": -0.8, "z": 0.0, "width": 2.4, "depth": 2.0},
        {"shape": "box", "x": 0.8, "z": 0.0, "width": 2.4, "depth": 2.0},
    ],
}


@pytest.mark.parametrize("name", SEAMED)
def test_seams_within_obstacles_are_no_surfaces(name):
    obstacles = [
        {**it, "points": tuple((float(x), float(z)) for x, z in it["points"])}
        if it["shape"] == "polygon"
        else it
        for it in SEAMED[name]
    ]
    scene = Scene(stage_of(obstacles))
    whole = Scene(stage_of([{"shape": "box", "x": 0.0, "z": 0.0, "width": 4.0, "depth": 2.0}]))
    assert np.abs(scene.distance - whole.distance).max() < scene.interval / 2


@pytest.mark.parametrize("order", [1, -1])
def test_a_concave_outline_is_filled_whichever_way_it_is_wound(order):
    points = ((-3.0, -2.0), (3.0, -2.0), (3.0, 2.0), (2.0, 2.0), (2.0, -1.0), (-3.0, -1.0))
    scene = Scene(stage_of([{"shape": "polygon", "points": points[::order]}]))
    for x, z, true in ((0.0, -1.5, -0.5), (2.5, 1.0, -0.5), (0.0, 0.0, 1.0), (1.0, 1.0, 1.0)):
        found = distance_at(scene.plan, x, z)
        assert found == pytest.approx(true, abs=scene.tolerance)


def test_any_simple_outline_is_cut_into_triangles_of_the_same_area():
    rng = np.random.default_rng(10)
    simple = 0
    while simple < 400:
        # On whole numbers, corners often lie in one line.
        corners = rng.integers(-3, 4, (rng.integers(3, 10), 2)).astype(float).tolist()
        outline = [(x, z) for x, z in corners]
        if len(set(outline)) < len(outline) or crossing_edges(outline):
            continue
        simple += 1
        pieces = triangles_of(outline)
        assert sum(area_of(piece) for piece in pieces) == pytest.approx(abs(area_of(outline)))
        assert all(area_of(piece) > 0.0 for piece in pieces)


def test_an_outline_that_crashes_chipmunks_own_decomposition_is_baked():
    corners = ((3, -3), (2, -2), (3, 2), (-2, 3), (2, 1), (0, 1), (2, -1), (-2, 1))
    points = tuple((float(x), float(z)) for x, z in corners)
    scene = Scene(stage_of([{"shape": "polygon", "points": points}]))
    assert distance_at(scene.plan, 2.0, 0.0) < -scene.tolerance
    assert distance_at(scene.plan, 0.0, 0.5) > scene.tolerance


def test_an_obstacle_against_the_wall_leaves_no_surface_between_them():
    scene = Scene(stage_of([{"shape": "box", "x": 7.0, "z": 0.0, "width": 2.0, "depth": 4.0}]))
    assert distance_at(scene.plan, 8.0, 0.0) < -1.0
    assert distance_at(scene.plan, 8.0, 5.0) == pytest.approx(0.0, abs=1e-6)


def next_cells(flow):
    """For each target and cell the cell after one step, (1024, 1024); the same where none."""
    moves = np.array([right + FLOW_CELLS * down for right, down in STEPS] + [0])
    return np.arange(CELLS)[None, :] + moves[flow]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_walks_reach_every_target_from_every_walkable_cell(campaign, index):
    flow = campaign.table["flow"][index]
    walkable = walkable_cells(campaign.table["distance"][index]).ravel()
    onward = next_cells(flow)
    for _ in range(7):  # 128 steps
        onward = np.take_along_axis(onward, onward, axis=1)
    cells = np.flatnonzero(walkable)
    assert (onward[np.ix_(cells, cells)] == cells[:, None]).all()
    # A player who hugs a wall stands where nobody walks through, and is reached as well.
    roomy = widest_rooms(campaign.table["distance"][index]) >= 0.4
    hugging = np.flatnonzero(roomy & ~walkable)
    assert len(hugging) > 50
    assert (onward[np.ix_(hugging, cells)] == hugging[:, None]).all()
    # So is an enemy there: it finds its way to everyone in the open.
    assert (onward[np.ix_(cells, hugging)] == cells[:, None]).all()


def widest_rooms(distance):
    """The greatest distance to walls in each cell, (1024,)."""
    nodes = (DISTANCE_NODES - 1) // FLOW_CELLS
    blocks = distance[:-1, :-1].reshape(FLOW_CELLS, nodes, FLOW_CELLS, nodes)
    return blocks.max(axis=(1, 3)).ravel()


@pytest.mark.parametrize("index", [0, 1, 2])
def test_walks_keep_to_walkable_cells_and_cut_no_corner(campaign, index):
    flow = campaign.table["flow"][index]
    walkable = walkable_cells(campaign.table["distance"][index]).ravel()
    cells = np.flatnonzero(walkable)
    targets, starts = np.meshgrid(cells, cells, indexing="ij")
    codes = flow[targets, starts]
    assert ((codes == -1) == (targets == starts)).all()
    right, down = np.moveaxis(np.array([*STEPS, (0, 0)])[codes], -1, 0)
    for passed in (starts + right, starts + FLOW_CELLS * down, starts + right + FLOW_CELLS * down):
        assert walkable[passed].all()


@numba.njit
def steps_to_arrive(stage, places, limit):  # pragma: no cover - machine code
    """Ticks that walkers (x, z, target x, target z) of radius 0.45 need at 0.05 m a tick."""
    needed = np.full(len(places), limit)
    for index in range(len(places)):
        x, z, target_x, target_z = places[index]
        for tick in range(limit):
            if math.hypot(target_x - x, target_z - z) < 0.1:
                needed[index] = tick
                break
            dx, dz = walk(stage, x, z, target_x, target_z)
            x, z = push_out(stage, x + 0.05 * dx, z + 0.05 * dz, 0.45)
    return needed


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_walker_gets_round_obstacles_to_its_target(campaign, index):
    rng = np.random.default_rng(8)
    stage = campaign.table[index]
    half = np.array([stage.width, stage.depth]) / 2
    places = [push_out(stage, *rng.uniform(-half, half), 0.45) for _ in range(1_000)]
    clear = [place for place in places if distance_at(stage, *place) > 0.45 - 0.01]
    journeys = np.array(clear[: len(clear) // 2 * 2]).reshape(-1, 4)
    assert len(journeys) > 400
    needed = steps_to_arrive(stage, journeys, 2_000)
    assert needed.max() < 900  # 45 m: nobody is lost, and nobody walks in circles


def test_no_walk_leads_through_a_wall_without_a_gap():
    scene = Scene(stage_of([{"shape": "box", "x": 0.0, "z": 0.0, "width": 1.0, "depth": 15.0}]))
    scene.plan.flow = bake_flow(scene.distance, width=scene.plan.width, depth=scene.plan.depth)
    assert walk(scene.plan, -4.0, 0.0, 4.0, 0.0) == (0.0, 0.0)
    dx, dz = walk(scene.plan, -4.0, 0.0, -6.0, 0.0)
    assert dx < -0.7
    assert math.hypot(dx, dz) == pytest.approx(1.0)


def test_a_walk_within_one_cell_goes_straight():
    scene = Scene(stage_of([]))
    scene.plan.flow = bake_flow(scene.distance, width=scene.plan.width, depth=scene.plan.depth)
    assert walk(scene.plan, 0.1, 0.1, 0.3, 0.1) == (1.0, 0.0)
    assert walk(scene.plan, 0.1, 0.1, 0.1, 0.1) == (0.0, 0.0)


@pytest.fixture
def fresh_cache(tmp_path, monkeypatch):
    """An empty cache folder, and a loader that has loaded nothing yet."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(loader, "_loaded", {})
    return tmp_path / "cache"


def reload_campaign(monkeypatch):
    monkeypatch.setattr(loader, "_loaded", {})
    return load_campaign([loader.PACKAGED[0]])


def test_a_damaged_cache_file_is_baked_again(fresh_cache, monkeypatch):
    first = load_campaign([loader.PACKAGED[0]]).table
    (file,) = fresh_cache.iterdir()
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 0xFF
    for damaged in (b"", whole[: len(whole) // 2], flipped):
        file.write_bytes(damaged)
        again = reload_campaign(monkeypatch).table
        assert (again["distance"] == first["distance"]).all()
        assert (again["flow"] == first["flow"]).all()


def test_a_cache_file_of_another_stage_is_not_taken(fresh_cache, monkeypatch):
    load_campaign([loader.PACKAGED[0]])
    (file,) = fresh_cache.iterdir()
    load_campaign([loader.PACKAGED[1]])
    (other,) = set(fresh_cache.iterdir()) - {file}
    file.write_bytes(other.read_bytes())
    first = reload_campaign(monkeypatch)
    assert first.table["distance"].shape == (1, DISTANCE_NODES, DISTANCE_NODES)
    assert (
        first.table["distance"][0] == bake_distance(first.models[0], build_space(first.models[0]))
    ).all()


def test_a_cache_folder_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "file" / "cache"))
    assert reload_campaign(monkeypatch).names == ("Dawn Yard",)


def test_a_warm_cache_needs_no_pymunk_and_little_time(campaign):
    code = (
        "import sys, time\n"
        "from arena_breaker_gym.stages.loader import load_campaign\n"
        "began = time.perf_counter()\n"
        "load_campaign()\n"
        "print('pymunk' in sys.modules, time.perf_counter() - began)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    pymunk_came, seconds = answer.stdout.split()
    assert pymunk_came == "False"
    assert float(seconds) < 0.5  # 0.02 s on a quiet machine; tests share theirs


def test_campaign_arrays_are_read_only_and_shared(campaign):
    assert load_campaign() is campaign
    for array in (campaign.table,):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
