"""A stage's plan: its waves, zones and hazards as one compiled record (`table.STAGE`)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.stages.model import Group, Hazard, Saw, Spikes, Stage
from arena_breaker_gym.stages.names import ENEMY_TYPES, HAZARD_TYPES
from arena_breaker_gym.stages.table import DISTANCE_NODES, STAGE

TICKS_PER_SECOND = 60


def plan_of(stage: Stage) -> NDArray[np.void]:
    """The stage as an array (1,) of dtype `table.STAGE`."""
    plans = np.zeros(1, STAGE)
    plan: np.record = plans[0]
    plan.width, plan.depth = stage.size.width, stage.size.depth
    plan.columns_per_metre = (DISTANCE_NODES - 1) / plan.width
    plan.rows_per_metre = (DISTANCE_NODES - 1) / plan.depth
    plan.cell_diagonal = math.sqrt(plan.columns_per_metre**-2 + plan.rows_per_metre**-2)
    plan.start_x, plan.start_z = stage.start.x, stage.start.z
    _fill_waves(plan, stage)
    plan.zone_count = len(stage.zones)
    for row, zone in zip(plan.zones, stage.zones, strict=False):
        row.x, row.z = zone.x, zone.z
        row.half_width, row.half_depth = zone.width / 2, zone.depth / 2
    plan.hazard_count = len(stage.hazards)
    for row, hazard in zip(plan.hazards, stage.hazards, strict=False):
        _fill_hazard(row, hazard)
    return plans


def _fill_waves(plan: np.record, stage: Stage) -> None:
    zones = [zone.name for zone in stage.zones]
    plan.wave_count = len(stage.waves)
    for wave_row, wave in zip(plan.waves, stage.waves, strict=False):
        wave_row.group_count = len(wave.groups)
        for row, group in zip(wave_row.groups, wave.groups, strict=False):
            _fill_group(row, group, zones)


def _fill_group(row: np.record, group: Group, zones: list[str]) -> None:
    row.kind = ENEMY_TYPES.index(group.type)
    row.count = group.count
    row.delay = _ticks(group.delay)
    row.spacing = _ticks(group.spacing)
    row.zone = zones.index(group.zone)


def _fill_hazard(row: np.record, hazard: Hazard) -> None:
    row.kind = HAZARD_TYPES.index(hazard.type)
    row.radius = hazard.radius
    if isinstance(hazard, Saw):
        row.point_count = len(hazard.track)
        row.track[: len(hazard.track)] = hazard.track
        row.closed = int(hazard.closed)
        row.speed = hazard.speed
    elif isinstance(hazard, Spikes):
        row.point_count = 1
        row.track[0] = hazard.x, hazard.z
        row.down, row.warn, row.up = _ticks(hazard.down), _ticks(hazard.warn), _ticks(hazard.up)
        row.offset = _ticks(hazard.offset)


def _ticks(seconds: float) -> int:
    return round(seconds * TICKS_PER_SECOND)
