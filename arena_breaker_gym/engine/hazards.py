"""Saws on their tracks and cycling spikes: where they are, and whom they hurt."""

import numpy as np

from arena_breaker_gym._runtime.jit import compiled
from arena_breaker_gym.engine.arena import FIRST_HAZARD_CAUSE, TICK, ArenaRecord, HazardRecord
from arena_breaker_gym.engine.damage import damage_player
from arena_breaker_gym.engine.player import RADIUS as PLAYER_RADIUS
from arena_breaker_gym.stages.table import SAW, SPIKES, HazardPlanRecord, StageRecord

DAMAGE = 1
DOWN, WARNING, UP = 0, 1, 2  # phases of spikes


@compiled
def lay_hazards(arena: ArenaRecord, stage: StageRecord) -> None:
    """Puts the stage's hazards where they are when the stage begins."""
    for index in range(arena.hazards.shape[0]):
        hazard = arena.hazards[index]
        hazard.kind = 0
        if index < stage.hazard_count:
            plan = stage.hazards[index]
            hazard.kind = plan.kind
            hazard.x = plan.track[0, 0]
            hazard.z = plan.track[0, 1]
            hazard.vx = 0.0
            hazard.vz = 0.0
            hazard.radius = plan.radius
            hazard.leg = 1
            hazard.way = 1
            hazard.phase = DOWN
            hazard.clock = plan.down
            for _ in range(plan.offset):
                _cycle_spikes(hazard, plan)


@compiled
def run_hazards(arena: ArenaRecord, stage: StageRecord) -> None:
    """One tick of every hazard, and what it does to a player in reach."""
    for index in range(stage.hazard_count):
        hazard = arena.hazards[index]
        plan = stage.hazards[index]
        if hazard.kind == SAW:
            _travel(hazard, plan)
        else:
            _cycle_spikes(hazard, plan)
        if hazard.kind == SAW or hazard.phase == UP:
            _cut(arena, hazard)


@compiled
def _travel(saw: HazardRecord, plan: HazardPlanRecord) -> None:
    """Moves a saw along its track by one tick; a corner inside the tick is rounded exactly."""
    step = plan.speed * TICK
    x = saw.x
    z = saw.z
    for _ in range(plan.point_count + 1):
        dx = plan.track[saw.leg, 0] - saw.x
        dz = plan.track[saw.leg, 1] - saw.z
        length = np.sqrt(dx * dx + dz * dz)
        if length > step:
            saw.x += dx / length * step
            saw.z += dz / length * step
            break
        saw.x = plan.track[saw.leg, 0]
        saw.z = plan.track[saw.leg, 1]
        step -= length
        _next_leg(saw, plan)
    saw.vx = (saw.x - x) / TICK
    saw.vz = (saw.z - z) / TICK


@compiled
def _next_leg(saw: HazardRecord, plan: HazardPlanRecord) -> None:
    if plan.closed != 0:
        saw.leg = (saw.leg + 1) % plan.point_count
        return
    if saw.leg + saw.way < 0 or saw.leg + saw.way >= plan.point_count:
        saw.way = -saw.way
    saw.leg += saw.way


@compiled
def _cycle_spikes(spikes: HazardRecord, plan: HazardPlanRecord) -> None:
    if spikes.kind != SPIKES:
        return
    spikes.clock -= 1
    if spikes.clock > 0:
        return
    spikes.phase = (spikes.phase + 1) % 3
    if spikes.phase == DOWN:
        spikes.clock = plan.down
    elif spikes.phase == WARNING:
        spikes.clock = plan.warn
    else:
        spikes.clock = plan.up


@compiled
def _cut(arena: ArenaRecord, hazard: HazardRecord) -> None:
    dx = arena.player.x - hazard.x
    dz = arena.player.z - hazard.z
    reach = hazard.radius + PLAYER_RADIUS
    if dx * dx + dz * dz < reach * reach:
        damage_player(arena, DAMAGE, FIRST_HAZARD_CAUSE + hazard.kind, dx, dz)
