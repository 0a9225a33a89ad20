"""The director: sends each wave's groups in, counts waves, leads from stage to stage."""

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import MAX_ENEMIES, VICTORY, ArenaRecord, Stages, ticks
from arena_breaker_gym.engine.damage import free_slot, spawn
from arena_breaker_gym.engine.hazards import lay_hazards
from arena_breaker_gym.engine.player import HP, place_player
from arena_breaker_gym.engine.random import uniform
from arena_breaker_gym.stages.table import MAX_GROUPS, GroupRecord, StageRecord

WAVE_SCORE = 10  # for each wave begun: fits the article's 0 kills = 10 points
FIRST_PAUSE = ticks(0.5)  # before a stage's first wave; our own value
PAUSE = ticks(1.5)  # between waves; our own value
STAGE_HEAL = 2  # hp given back for a stage cleared; our own value
_CLEARANCE = 4.0  # m: no enemy appears nearer to the player if the zone allows; our own value
_TRIES = 6


@compiled
def begin_stage(arena: ArenaRecord, index: int, campaign: Stages) -> None:
    """Sets an arena up at the beginning of a stage; score, hp and tallies stay."""
    stage = campaign[index]
    arena.stage = index
    arena.stage_tick = 0
    for enemy in arena.enemies:
        enemy.kind = 0
    for shot in arena.shots:
        shot.live = 0
    for enemy_shot in arena.enemy_shots:
        enemy_shot.live = 0
    for mark in arena.effects:
        mark.kind = 0
    place_player(arena.player, stage.start_x, stage.start_z)
    lay_hazards(arena, stage)
    arena.director.wave = -1
    arena.director.pause = FIRST_PAUSE


@compiled
def direct_wave(arena: ArenaRecord, stage: StageRecord) -> None:
    """One tick of the wave under way, or of the pause before the next."""
    director = arena.director
    if director.pause > 0:
        director.pause -= 1
        if director.pause == 0:
            _begin_wave(arena)
        return
    wave = stage.waves[director.wave]
    for index in range(wave.group_count):
        group = wave.groups[index]
        sent = director.spawned[index]
        due = group.delay + sent * group.spacing
        if sent < group.count and director.clock >= due and free_slot(arena) >= 0:
            _send(arena, group, stage)
            director.spawned[index] += 1
    director.clock += 1


@compiled
def _begin_wave(arena: ArenaRecord) -> None:
    director = arena.director
    director.wave += 1
    director.clock = 0
    for index in range(MAX_GROUPS):
        director.spawned[index] = 0
    arena.statistics.waves_begun += 1
    arena.statistics.score += WAVE_SCORE


@compiled
def _send(arena: ArenaRecord, group: GroupRecord, stage: StageRecord) -> None:
    """Brings one enemy of a group in, anywhere in its zone but not on the player."""
    zone = stage.zones[group.zone]
    x = zone.x
    z = zone.z
    for _ in range(_TRIES):
        x = zone.x + uniform(arena.random, -zone.half_width, zone.half_width)
        z = zone.z + uniform(arena.random, -zone.half_depth, zone.half_depth)
        dx = x - arena.player.x
        dz = z - arena.player.z
        if dx * dx + dz * dz >= _CLEARANCE * _CLEARANCE:
            break
    spawn(arena, group.kind, x, z)


@compiled
def advance(arena: ArenaRecord, stage: StageRecord, campaign: Stages) -> None:
    """Notes a cleared wave and leads on: to the next wave, the next stage, or victory."""
    director = arena.director
    if director.pause > 0 or not _is_cleared(arena, stage):
        return
    arena.statistics.waves_cleared += 1
    if director.wave + 1 < stage.wave_count:
        director.pause = PAUSE
    elif arena.stage + 1 < campaign.shape[0]:
        arena.player.hp = min(arena.player.hp + STAGE_HEAL, HP)
        begin_stage(arena, arena.stage + 1, campaign)
    else:
        arena.outcome = VICTORY


@compiled
def _is_cleared(arena: ArenaRecord, stage: StageRecord) -> bool:
    for slot in range(MAX_ENEMIES):
        if arena.enemies[slot].kind != 0:
            return False
    wave = stage.waves[arena.director.wave]
    for index in range(wave.group_count):
        if arena.director.spawned[index] < wave.groups[index].count:
            return False
    return True
