"""The player: sticks to motion, dash, grace. Shots leave in `shots`; `player_damage` has hits."""

import numpy as np

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import TICK, ArenaRecord, PlayerRecord, ticks
from arena_breaker_gym.engine.damage import SHOVE_KEPT
from arena_breaker_gym.engine.space import push_out
from arena_breaker_gym.stages.table import StageRecord

RADIUS = 0.4  # m
SPEED = 6.0  # m/s
HP = 5
DASH_SPEED = 20.0  # m/s
DASH_TICKS = ticks(0.15)
DASH_COOLDOWN = ticks(1.0)  # from the dash's beginning
FIRE_THRESHOLD = 0.3  # length of the aim stick; the article's figure
DASH_THRESHOLD = 0.5  # the dash button is pressed above this
_IDLE_STICK = 1e-3  # a shorter stick points nowhere


@compiled
def place_player(player: PlayerRecord, x: float, z: float) -> None:
    """Puts the player down at rest; hp and clocks stay."""
    player.x = x
    player.z = z
    player.vx = 0.0
    player.vz = 0.0
    player.push_x = 0.0
    player.push_z = 0.0
    player.dash = 0


@compiled
def move_player(arena: ArenaRecord, action: np.ndarray, stage: StageRecord) -> None:
    """Moves the player by one tick of an action (5,): sticks of length at most 1, dash 0 or 1."""
    player = arena.player
    _run_clocks(player)
    _take_aim(arena, action[2], action[3], action[0], action[1])
    if action[4] > DASH_THRESHOLD and player.dash_cooldown == 0:
        _begin_dash(arena, action[0], action[1])
    _set_velocity(player, action[0], action[1])
    x = player.x + player.vx * TICK
    z = player.z + player.vz * TICK
    player.x, player.z = push_out(stage, x, z, RADIUS)


@compiled
def _run_clocks(player: PlayerRecord) -> None:
    player.grace = max(player.grace - 1, 0)
    player.reload = max(player.reload - 1, 0)
    player.dash = max(player.dash - 1, 0)
    player.dash_cooldown = max(player.dash_cooldown - 1, 0)
    player.push_x *= SHOVE_KEPT
    player.push_z *= SHOVE_KEPT


@compiled
def _take_aim(arena: ArenaRecord, aim_x: float, aim_z: float, move_x: float, move_z: float) -> None:
    player = arena.player
    player.aim_x = aim_x
    player.aim_z = aim_z
    length = np.sqrt(aim_x * aim_x + aim_z * aim_z)
    arena.statistics.aim_length += length
    if length >= FIRE_THRESHOLD:
        arena.statistics.firing_ticks += 1
        player.heading_x = aim_x / length
        player.heading_z = aim_z / length
    elif move_x * move_x + move_z * move_z > _IDLE_STICK:
        stride = np.sqrt(move_x * move_x + move_z * move_z)
        player.heading_x = move_x / stride
        player.heading_z = move_z / stride


@compiled
def _begin_dash(arena: ArenaRecord, move_x: float, move_z: float) -> None:
    player = arena.player
    length = np.sqrt(move_x * move_x + move_z * move_z)
    if length > _IDLE_STICK:
        player.dash_x = move_x / length
        player.dash_z = move_z / length
    else:
        player.dash_x = player.heading_x
        player.dash_z = player.heading_z
    player.dash = DASH_TICKS
    player.dash_cooldown = DASH_COOLDOWN
    arena.statistics.dashes += 1


@compiled
def _set_velocity(player: PlayerRecord, move_x: float, move_z: float) -> None:
    if player.dash > 0:
        player.vx = DASH_SPEED * player.dash_x
        player.vz = DASH_SPEED * player.dash_z
    else:
        player.vx = SPEED * move_x + player.push_x
        player.vz = SPEED * move_z + player.push_z
