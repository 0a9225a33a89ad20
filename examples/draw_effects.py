"""Draws docs/images/effects.png: every effect in every skin, as a student gets them, enlarged.

Run `python examples/draw_effects.py [FILE]`. Pixels are those of 256×256 frames, twice as large:
a row a skin, a column an effect.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import pygame

from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.engine import hazards
from arena_breaker_gym.engine.arena import BLAST, PLAYER_HIT
from arena_breaker_gym.engine.roster import bomber, charger, sentinel, shooter
from arena_breaker_gym.engine.shots import RELOAD
from arena_breaker_gym.rendering import skins
from arena_breaker_gym.rendering.camera import Camera
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.settings import Settings
from arena_breaker_gym.stages.table import BOMBER, CHARGER, SENTINEL, SHOOTER, SPLITTER

SIZE, HALF, LARGER = 256, 25, 2  # a frame's side, half a cell's side, how many times as large
NAMES_WIDE, NAMES_TALL = 96, 34  # pixels for the names of skins and of effects
FREE = (3.0, 0.0)  # a place on stage 1 with nothing about it
SPIKES = 1  # stage 1's second hazard


class Effect(NamedTuple):
    """What is to be seen: which part of the record, its fields; where, if it has no own place."""

    part: str
    fields: Mapping[str, Any]
    slot: int = 0
    place: tuple[float, float] | None = FREE


def _enemy(kind: int, **fields: Any) -> Effect:
    return Effect("enemies", {"kind": kind, "hp": 3, "heading_x": 1.0, "heading_z": 0.0, **fields})


def _burst(kind: int) -> Effect:
    return Effect("effects", {"kind": kind, "tick": -5})


def _spikes(phase: int) -> Effect:
    return Effect("hazards", {"phase": phase}, slot=SPIKES, place=None)


def _player(**fields: Any) -> Effect:
    return Effect("player", {"heading_x": 1.0, "heading_z": 0.0, **fields})


EFFECTS: Mapping[str, Effect] = MappingProxyType(
    {
        "dash ready": _player(),
        "dash cools": _player(dash_cooldown=30),
        "dashing": _player(dash=5, dash_x=1.0, dash_cooldown=55),
        "grace": _player(grace=36),
        "gun flash": _player(reload=RELOAD),
        "shot": Effect("shots", {"live": 1, "vx": 18.0}),
        "enemy shot": Effect("enemy_shots", {"live": 1, "vx": 8.0}),
        "hit": _enemy(SHOOTER, flash=3),
        "death": _burst(SPLITTER),
        "blast": _burst(BLAST),
        "player hit": _burst(PLAYER_HIT),
        "about to fire": _enemy(SHOOTER, phase=shooter.TELEGRAPH, clock=5),
        "winds up": _enemy(CHARGER, phase=charger.WIND_UP, clock=20),
        "charges": _enemy(CHARGER, phase=charger.CHARGE, clock=20),
        "stunned": _enemy(CHARGER, phase=charger.STUNNED, clock=20),
        "fuse": _enemy(BOMBER, phase=bomber.FUSE, clock=5),
        "ring": _enemy(SENTINEL, phase=sentinel.RING, clock=1),
        "saw": Effect("hazards", {}, place=None),
        "spikes down": _spikes(hazards.DOWN),
        "spikes warn": _spikes(hazards.WARNING),
        "spikes up": _spikes(hazards.UP),
    }
)


def posed(records: NDArray[np.void], effect: Effect) -> tuple[NDArray[np.void], float, float]:
    """The record with that effect to be seen, (1,), and x and z of where."""
    records = records.copy()
    part = records[effect.part].reshape(1, -1)[:, effect.slot]  # a view of the copy
    for name, value in effect.fields.items():
        part[name] = value
    if effect.place is not None:
        part["x"], part["z"] = effect.place
    return records, float(part["x"][0]), float(part["z"][0])


def cell(
    renderer: Renderer, records: NDArray[np.void], effect: Effect, camera: Camera
) -> NDArray[np.uint8]:
    """The pixels about an effect, enlarged."""
    shown, at_x, at_z = posed(records, effect)
    frame = renderer.compose(shown)[0]
    x, y = (round(at) for at in camera.project(at_x, at_z))
    left, top = (min(max(at - HALF, 0), SIZE - 2 * HALF) for at in (x, y - 4))
    part = frame[top : top + 2 * HALF, left : left + 2 * HALF]
    return part.repeat(LARGER, 0).repeat(LARGER, 1)


def main() -> None:
    """Writes the picture."""
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/effects.png")
    arenas = Arenas(Settings(), count=1)
    arenas.reset(0, (1, 2))
    size, side = arenas.loaded.models[0].size, 2 * HALF * LARGER
    camera = Camera.over(size.width, size.depth, SIZE)
    pygame.font.init()
    font = pygame.font.Font(None, 20)
    names = skins.names()
    sheet = pygame.Surface((NAMES_WIDE + len(EFFECTS) * side, NAMES_TALL + len(names) * side))
    sheet.fill((250, 250, 250))
    for row, name in enumerate(names):
        renderer, y = Renderer(arenas.loaded.models, size=SIZE, skin=name), NAMES_TALL + row * side
        sheet.blit(font.render(name, True, (20, 20, 30)), (8, y + side // 2 - 8))
        for column, effect in enumerate(EFFECTS.values()):
            pixels = cell(renderer, arenas.records, effect, camera).swapaxes(0, 1)
            sheet.blit(pygame.surfarray.make_surface(pixels), (NAMES_WIDE + column * side, y))
    for column, name in enumerate(EFFECTS):
        words = font.render(name, True, (20, 20, 30))
        sheet.blit(words, (NAMES_WIDE + column * side + (side - words.get_width()) // 2, 10))
    file.parent.mkdir(parents=True, exist_ok=True)
    pygame.image.save(sheet, file)
    print(file)


if __name__ == "__main__":
    main()
