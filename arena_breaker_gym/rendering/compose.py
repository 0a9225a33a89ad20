"""The compiled composer: backdrop and sprites of one arena straight into its frame.

What lies on the floor is drawn first, then all that stands, from the rear to the front, each
pixel only where no wall or obstacle covers it. Reads the arena's record and draws nothing at
random, so the same record always gives the same bytes.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.jit import compiled, jit_inline, jit_unchecked
from arena_breaker_gym._runtime.records import Rows
from arena_breaker_gym.engine.arena import ArenaRecord, EnemyRecord
from arena_breaker_gym.engine.hazards import UP, WARNING
from arena_breaker_gym.engine.player import DASH_COOLDOWN
from arena_breaker_gym.engine.roster import RADIUS, charger, sentinel, shooter
from arena_breaker_gym.engine.roster.bomber import FUSE
from arena_breaker_gym.engine.shots import RELOAD
from arena_breaker_gym.rendering import sheet
from arena_breaker_gym.rendering.atlas import Atlas
from arena_breaker_gym.rendering.backdrop import NOTHING_RAISED
from arena_breaker_gym.rendering.camera import FORESHORTENING, RISE
from arena_breaker_gym.rendering.frames import UNKNOWN, ScratchRecord, TouchedRecord
from arena_breaker_gym.stages.table import (
    BOMBER,
    CHARGER,
    MAX_HAZARDS,
    SAW,
    SENTINEL,
    SHOOTER,
    SPLITTER,
    SWARMER,
)

SHOT_HEIGHT = 0.4  # m above the floor at which shots are seen
MUZZLE_REACH = 1.75  # enemy radii from a shooter's middle to its muzzle
GUN_REACH = 0.8  # m from the player's middle to where its gun's flash begins
_TAU = 2.0 * math.pi
_SPEEDS = np.array(sheet.ENEMY_SHOT_SPEEDS)


class Scene(NamedTuple):
    """A stage as the composer needs it.

    Attributes:
        size: Side of the frames in pixels.
        scale: Pixels per metre.
        centre_x: Column of x = 0.
        centre_y: Row of the floor's z = 0.
        picture: (size · size · 3,) uint8 backdrop.
        depth: (size · size,) float32 z of raised surfaces; see `backdrop.Backdrop`.
        clear: (size · size,) int64 pixels from here to the right with nothing raised.
        atlas: The sprites.
    """

    size: int
    scale: float
    centre_x: float
    centre_y: float
    picture: NDArray[np.uint8]
    depth: NDArray[np.float32]
    clear: NDArray[np.int64]
    atlas: Atlas


class Frame(NamedTuple):
    """What is drawn on.

    Attributes:
        pixels: (size · size · 3,) uint8.
        touched: A record of dtype `frames.TOUCHED`, which keeps the boxes that sprites touch.
    """

    pixels: NDArray[np.uint8]
    touched: TouchedRecord


@jit_unchecked(
    arenas="n",
    rows="drawn",
    frames="n size size 3",
    touched="known",
    scratches="1",
    picture="size*size*3",
    depth="size*size",
    clear="size*size",
    colours="bytes",
    rests="bytes",
    boxes="sprites 5",
    hazards="16",
)
def compose_rows(
    arenas: Rows[ArenaRecord],
    rows: NDArray[np.int64],
    frames: NDArray[np.uint8],
    touched: Rows[TouchedRecord],
    scratches: Rows[ScratchRecord],
    number: int,
    size: int,
    scale: float,
    centre_x: float,
    centre_y: float,
    picture: NDArray[np.uint8],
    depth: NDArray[np.float32],
    clear: NDArray[np.int64],
    colours: NDArray[np.uint8],
    rests: NDArray[np.uint8],
    boxes: NDArray[np.int64],
    hazards: NDArray[np.int64],
) -> None:
    """Draws arenas that are on one stage in one skin.

    From `size` on the arguments are that scene's parts: handed over as one tuple of arrays they
    would cost as much as several sprites.

    Args:
        arenas: (n,) records of dtype `engine.arena.ARENA`.
        rows: Which of them.
        frames: (n, size, size, 3) uint8, written in these rows.
        touched: (n,) records of dtype `frames.TOUCHED`: what is known of the frames, brought
            up to date; or none of them, if nothing is known and nothing to be kept.
        scratches: (1,) of dtype `frames.SCRATCH`; no other thread may use it meanwhile.
        number: Number of the scene among those drawn on these frames.
        size: See `Scene`, likewise the next six.
        scale: …
        centre_x: …
        centre_y: …
        picture: …
        depth: …
        clear: …
        colours: See `atlas.Atlas`, likewise the rest.
        rests: …
        boxes: …
        hazards: …
    """
    atlas = Atlas(colours, rests, boxes, hazards)
    scene = Scene(size, scale, centre_x, centre_y, picture, depth, clear, atlas)
    scratch = scratches[0]
    for row in rows:
        if touched.shape[0] > 0:
            frame = Frame(frames[row].reshape(picture.shape[0]), touched[row])
        else:
            scratch.touched.scene = UNKNOWN
            frame = Frame(frames[row].reshape(picture.shape[0]), scratch.touched)
        _clean(frame, number, scene)
        _lay_out(arenas[row], scratch, hazards)
        _line_up(arenas[row], scratch, hazards)
        for place in range(scratch.waiting):
            _blit(frame, scene, scratch, place)


@jit_inline
def _clean(frame: Frame, number: int, scene: Scene) -> None:
    """Puts the backdrop back where sprites have been, or everywhere if another one is there."""
    pixels, touched, picture = frame.pixels, frame.touched, scene.picture
    if touched.scene != number:
        # Element by element on purpose: the compiler makes this one fast copy, but
        # `pixels[:] = ...` thirty times slower.
        for at in range(picture.shape[0]):
            pixels[at] = picture[at]
    else:
        for box in range(touched.count):
            first, width, rows = touched.boxes[box]
            for row in range(rows):
                begin = np.uint64(3 * (first + row * scene.size))
                for part in range(np.uint64(3 * width)):
                    pixels[begin + part] = picture[begin + part]
    touched.scene = number
    touched.count = 0


@jit_inline
def _blit(frame: Frame, scene: Scene, scratch: ScratchRecord, place: int) -> None:
    """Draws what waits at a place in line, clipped to the frame and behind nearer walls."""
    x, z, height, depth = scratch.places[place]
    first, width, tall, anchor_x, anchor_y = scene.atlas.boxes[scratch.sprites[place]]
    left = (math.floor(scene.centre_x + scene.scale * x + 0.5)) - anchor_x
    up_and_down = FORESHORTENING * z - RISE * height
    top = (math.floor(scene.centre_y + scene.scale * up_and_down + 0.5)) - anchor_y
    skipped = max(0, -left)
    seen = min(width, scene.size - left) - skipped
    begin_row, end_row = max(0, -top), min(tall, scene.size - top)
    if seen <= 0 or end_row <= begin_row:
        return
    _remember(frame, (top + begin_row) * scene.size + left + skipped, seen, end_row - begin_row)
    pixels = frame.pixels
    colours, rests, clear, depths = scene.atlas.colours, scene.atlas.rests, scene.clear, scene.depth
    for row in range(begin_row, end_row):
        source = first + row * width + skipped
        target = (top + row) * scene.size + left + skipped
        # Indices are unsigned, or the test for those that count from the end would keep the
        # compiler from laying many bytes at a time.
        begin, at = np.uint64(3 * source), np.uint64(3 * target)
        if clear[target] >= seen:
            for part in range(np.uint64(3 * seen)):
                over = _over(colours[begin + part], rests[begin + part], pixels[at + part])
                pixels[at + part] = over
        else:
            for column in range(seen):
                if depths[target + column] <= depth:
                    for part in range(np.uint64(3 * column), np.uint64(3 * column + 3)):
                        over = _over(colours[begin + part], rests[begin + part], pixels[at + part])
                        pixels[at + part] = over


@compiled
def _remember(frame: Frame, first: int, width: int, rows: int) -> None:
    """Notes a box that is about to be touched."""
    touched = frame.touched
    if touched.count == touched.boxes.shape[0]:
        touched.scene = UNKNOWN  # too many: the whole frame will be drawn again
    else:
        box = touched.boxes[touched.count]
        box[0] = first
        box[1] = width
        box[2] = rows
        touched.count += 1


@compiled
def _over(colour: int, rest: int, behind: int) -> int:
    """A sprite's value over the one behind it, of which `rest`/255 shines through."""
    product = int(behind) * int(rest) + 128
    return int(colour) + ((product + (product >> 8)) >> 8)  # rounded as a division by 255 would be


@compiled
def _heading(x: float, z: float) -> int:
    """The sheet's heading nearest to a direction."""
    return (math.floor(math.atan2(z, x) / _TAU * sheet.HEADINGS + 0.5)) % sheet.HEADINGS


@compiled
def _lay(scratch: ScratchRecord, sprite: int, x: float, z: float) -> None:
    """Puts a sprite on the floor, which is not seen where anything is raised."""
    _write(scratch, scratch.waiting, sprite, x, z, 0.0, NOTHING_RAISED)
    scratch.waiting += 1


@compiled
def _lay_out(arena: ArenaRecord, scratch: ScratchRecord, hazards: NDArray[np.int64]) -> None:
    """Queues all that lies on the floor: plates, telegraphs, shadows and the player's dash ring."""
    scratch.waiting = 0
    for index in range(MAX_HAZARDS):
        if arena.hazards[index].kind != 0:
            _lay_hazard(arena, index, scratch, hazards[index])
    for enemy in arena.enemies:
        if enemy.kind != 0:
            _lay_telegraph(enemy, scratch)
    for enemy in arena.enemies:
        if enemy.kind != 0:
            _lay(scratch, sheet.SHADOW_AT + enemy.kind, enemy.x, enemy.z)
    player = arena.player
    _lay(scratch, sheet.SHADOW_AT, player.x, player.z)
    last = sheet.DASH_RINGS - 1
    filled = last - (player.dash_cooldown * last + DASH_COOLDOWN - 1) // DASH_COOLDOWN
    _lay(scratch, sheet.DASH_RING_AT + filled, player.x, player.z)
    scratch.lying = scratch.waiting


@compiled
def _lay_hazard(arena: ArenaRecord, index: int, scratch: ScratchRecord, first: int) -> None:
    hazard = arena.hazards[index]
    sprite = first  # a saw's first sprite is its shadow
    if hazard.kind != SAW:
        if hazard.phase == UP:
            sprite += sheet.SPIKES_UP
        elif hazard.phase == WARNING:
            sprite += sheet.SPIKES_WARN + (hazard.clock // 4) % 2
    _lay(scratch, sprite, hazard.x, hazard.z)


@compiled
def _lay_telegraph(enemy: EnemyRecord, scratch: ScratchRecord) -> None:
    """What an enemy that is about to attack shows on the floor."""
    if enemy.kind == CHARGER and enemy.phase == charger.WIND_UP:
        sprite = sheet.ARROW_AT + _heading(enemy.heading_x, enemy.heading_z)
        _lay(scratch, sprite, enemy.x, enemy.z)
    elif enemy.kind == BOMBER and enemy.phase == FUSE:
        sprite = sheet.BLAST_MARK_AT + (enemy.clock // 4) % sheet.BLAST_MARKS
        _lay(scratch, sprite, enemy.x, enemy.z)
    elif enemy.kind == SENTINEL and enemy.phase == sentinel.RING:
        step = _progress(enemy.clock, sentinel.RING_TICKS, sheet.RING_MARKS)
        _lay(scratch, sheet.RING_MARK_AT + step, enemy.x, enemy.z)


@compiled
def _progress(clock: int, whole: int, steps: int) -> int:
    """Which of some steps a clock that runs down from `whole` has come to."""
    return min(steps - 1, max(0, (whole - clock) * steps // whole))


@compiled
def _put(
    scratch: ScratchRecord, sprite: int, x: float, z: float, height: float, depth: float
) -> None:
    """Queues a sprite that stands in its order; of equal depths, the later comes later."""
    place = scratch.waiting
    scratch.waiting += 1
    while place > scratch.lying and scratch.places[place - 1, 3] > depth:
        scratch.sprites[place] = scratch.sprites[place - 1]
        for part in range(4):
            scratch.places[place, part] = scratch.places[place - 1, part]
        place -= 1
    _write(scratch, place, sprite, x, z, height, depth)


@compiled
def _write(
    scratch: ScratchRecord, place: int, sprite: int, x: float, z: float, height: float, depth: float
) -> None:
    scratch.sprites[place] = sprite
    scratch.places[place, 0] = x
    scratch.places[place, 1] = z
    scratch.places[place, 2] = height
    scratch.places[place, 3] = depth


@compiled
def _line_up(arena: ArenaRecord, scratch: ScratchRecord, hazards: NDArray[np.int64]) -> None:
    """Queues all that stands."""
    _line_up_player(arena, scratch)
    for enemy in arena.enemies:
        if enemy.kind != 0:
            _line_up_enemy(arena, enemy, scratch)
    _line_up_shots(arena, scratch)
    for index in range(MAX_HAZARDS):
        if arena.hazards[index].kind != 0:
            _line_up_hazard(arena, index, scratch, hazards[index])
    for mark in arena.effects:
        age = arena.tick - mark.tick
        if mark.kind != 0 and age < sheet.EFFECT_TICKS:
            step = age * sheet.EFFECT_STEPS // sheet.EFFECT_TICKS
            sprite = sheet.EFFECT_AT + (mark.kind - 1) * sheet.EFFECT_STEPS + step
            _put(scratch, sprite, mark.x, mark.z, 0.0, mark.z + 0.5)


@compiled
def _line_up_shots(arena: ArenaRecord, scratch: ScratchRecord) -> None:
    for shot in arena.shots:
        if shot.live != 0:
            sprite = sheet.SHOT_AT + _heading(shot.vx, shot.vz)
            _put(scratch, sprite, shot.x, shot.z, SHOT_HEIGHT, shot.z)
    for theirs in arena.enemy_shots:
        if theirs.live != 0:
            sprite = _enemy_shot_sprite(theirs.vx, theirs.vz)
            _put(scratch, sprite, theirs.x, theirs.z, SHOT_HEIGHT, theirs.z)


@compiled
def _line_up_player(arena: ArenaRecord, scratch: ScratchRecord) -> None:
    player = arena.player
    x, z = player.x, player.z
    if player.dash > 0:
        sprite = sheet.DASH_AT + _heading(player.dash_x, player.dash_z)
        _put(scratch, sprite, x, z, 0.0, z - 0.01)
    ready = sheet.HEADINGS if player.dash_cooldown == 0 else 0
    sprite = sheet.PLAYER_AT + ready + _heading(player.heading_x, player.heading_z)
    _put(scratch, sprite, x, z, 0.0, z)
    if player.grace > 0 and (player.grace // 3) % 2 == 0:
        _put(scratch, sheet.SHELL_AT, x, z, 0.0, z + 0.01)
    age = RELOAD - player.reload  # ticks since the last shot left
    if age < sheet.MUZZLE_FLASH_TICKS:
        step = age * sheet.MUZZLE_FLASHES // sheet.MUZZLE_FLASH_TICKS * sheet.HEADINGS
        sprite = sheet.MUZZLE_FLASH_AT + step + _heading(player.heading_x, player.heading_z)
        x += GUN_REACH * player.heading_x
        depth = max(z, z + GUN_REACH * player.heading_z) + 0.02 * player.heading_z
        _put(scratch, sprite, x, z + GUN_REACH * player.heading_z, SHOT_HEIGHT, depth)


@compiled
def _line_up_enemy(arena: ArenaRecord, enemy: EnemyRecord, scratch: ScratchRecord) -> None:
    sprite = _enemy_sprite(arena.tick, enemy)
    if enemy.flash > 0:
        sprite += sheet.FLASH_AT
    _put(scratch, sprite, enemy.x, enemy.z, 0.0, enemy.z)
    if enemy.kind == SHOOTER and enemy.phase == shooter.TELEGRAPH:
        step = _progress(enemy.clock, shooter.TELEGRAPH_TICKS, sheet.MUZZLE_GLOWS)
        reach = MUZZLE_REACH * RADIUS[SHOOTER]
        x = enemy.x + reach * enemy.heading_x
        z = enemy.z + reach * enemy.heading_z
        _put(scratch, sheet.MUZZLE_GLOW_AT + step, x, z, SHOT_HEIGHT, max(z, enemy.z) + 0.01)
    elif enemy.kind == CHARGER and enemy.phase == charger.STUNNED:
        sprite = sheet.STARS_AT + (enemy.clock // 4) % sheet.STAR_STEPS
        _put(scratch, sprite, enemy.x, enemy.z, 0.0, enemy.z + 0.01)


@compiled
def _enemy_sprite(tick: int, enemy: EnemyRecord) -> int:
    """The sprite of an enemy in its phase; what moves by itself goes by tick and serial."""
    kind = enemy.kind
    heading = _heading(enemy.heading_x, enemy.heading_z)
    beat = tick // 6 + enemy.serial
    if kind == SWARMER:
        sprite = sheet.SWARMER_AT + (beat % sheet.SWARMER_STEPS) * sheet.HEADINGS + heading
    elif kind == SHOOTER:
        sprite = sheet.SHOOTER_AT + enemy.phase * sheet.HEADINGS + heading
    elif kind == CHARGER:
        sprite = sheet.CHARGER_AT + enemy.phase * sheet.HEADINGS + heading
    elif kind == SPLITTER:
        sprite = sheet.SPLITTER_AT + beat % sheet.SPLITTER_STEPS
    elif kind == BOMBER:
        sprite = sheet.BOMBER_AT + (1 + (enemy.clock // 4) % 2 if enemy.phase == FUSE else 0)
    elif enemy.phase == sentinel.RING:
        sprite = sheet.SENTINEL_AT + 1 + _progress(enemy.clock, sentinel.RING_TICKS, 3)
    else:
        sprite = sheet.SENTINEL_AT + (4 if enemy.phase == sentinel.TRIPLE else 0)
    return int(sprite)


@compiled
def _enemy_shot_sprite(vx: float, vz: float) -> int:
    """The ball whose trail tells the nearest speed."""
    speed = math.sqrt(vx * vx + vz * vz)
    nearest = 0
    for index in range(1, _SPEEDS.shape[0]):
        if abs(_SPEEDS[index] - speed) < abs(_SPEEDS[nearest] - speed):
            nearest = index
    return sheet.ENEMY_SHOT_AT + nearest * sheet.HEADINGS + _heading(vx, vz)


@compiled
def _line_up_hazard(arena: ArenaRecord, index: int, scratch: ScratchRecord, first: int) -> None:
    hazard = arena.hazards[index]
    x, z = hazard.x, hazard.z
    if hazard.kind == SAW:
        turn = (arena.tick // 2 + index) % sheet.SAW_STEPS
        _put(scratch, first + 1 + turn, x, z, 0.0, z)
    elif hazard.phase == UP:
        half = 0.5 * hazard.radius
        _put(scratch, first + sheet.SPIKES_REAR, x, z, 0.0, z - half)
        _put(scratch, first + sheet.SPIKES_FRONT, x, z, 0.0, z + half)
