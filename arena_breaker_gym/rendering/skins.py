"""Skins: the colours and the few measures that all art is drawn from, kept as JSON files.

The game is the same in every skin; only pixels differ.
"""

from __future__ import annotations

import difflib
import functools
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_FOLDER = Path(__file__).parent / "skins"

Colour = Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Part(BaseModel):
    """A piece of a skin: immutable, with every key known."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Shape(_Part):
    """Which figures there are, and measures that all of them share."""

    figures: Literal["machines", "toys", "glyphs", "creatures"] = "machines"

    body_scale: Annotated[float, Field(ge=1.0, le=1.6)]  # drawn size over the rules' radius
    height_scale: Annotated[float, Field(ge=0.3, le=2.0)]
    outline: Annotated[float, Field(ge=0.0, le=0.2)]  # m
    trail: Annotated[float, Field(ge=0.0, le=0.3)]  # s of flight that a shot's trail shows
    saw_teeth: Annotated[int, Field(ge=5, le=32)]
    shadow: Share  # how dark
    gloss: Share  # how strong the light spots on round bodies are


class Surface(_Part):
    """Colours of a skin's own for what a stage is built of."""

    floor: Colour
    floor_line: Colour
    wall_top: Colour
    wall_side: Colour
    obstacle_top: Colour
    obstacle_side: Colour
    paint: Colour = "#ffffff"
    brightness: Annotated[float, Field(ge=0.2, le=1.5)] = 1.0
    share: Share = 1.0  # how much of the stage's colours they replace


class Light(_Part):
    """How light falls on walls and obstacles."""

    side: Annotated[float, Field(ge=-2.0, le=2.0)] = 1.0  # from the left; below 0 from the right
    contrast: Annotated[float, Field(ge=0.0, le=2.0)] = 1.0  # of fronts to tops
    shadow_length: Annotated[float, Field(ge=0.0, le=4.0)] = 1.0  # over the usual
    rim: Annotated[float, Field(ge=0.3, le=2.5)] = 1.25  # light on the edges of tops
    rim_colour: Colour | None = None  # of those edges, instead


class Finish(_Part):
    """What is done to pictures when they are drawn, as by a screen or a press."""

    levels: Annotated[int, Field(ge=0, le=32)] = 0  # of each colour; 0: all
    palette: tuple[Colour, ...] = ()  # dark to light: the only colours, by lightness
    block: Annotated[int, Field(ge=1, le=4)] = 1  # pixels of a block's side
    dither: bool = False  # soft edges in a pattern of whole pixels
    halo: Share = 0.0  # light about figures, in their own colours
    scanlines: Share = 0.0  # how much darker every third row of the ground is
    grain: Share = 0.0  # how much single pixels of the ground differ


class Ground(_Part):
    """How floor, walls and obstacles look; colours are the stage's where there is no `surface`."""

    texture: Literal[
        "tiles", "grid", "hexes", "planks", "dots", "stripes", "speckles", "rings", "checks"
    ] = "tiles"  # tiles: the stage's own paving
    surface: Surface | None = None

    outside: Colour
    tint: Colour
    tint_strength: Share  # 0: the stage's colours as they are, 1: the tint alone
    tile: Annotated[float, Field(ge=0.25, le=8.0)]  # m
    line: Annotated[float, Field(ge=0.0, le=0.3)]  # m
    mottle: Share  # how much one tile's lightness differs from the next
    paint: Share = 0.0  # how strong lines, gates' marks and hazard bands are painted
    wear: Share = 0.0  # how strong stains, scuffs and cracks are
    vignette: Share
    shadow: Share
    track: Colour
    track_edge: Colour


class Player(_Part):
    """The player's colours; `ready` and `cooling` tell whether the dash is."""

    outline: Colour
    body: Colour
    trim: Colour
    barrel: Colour
    ready: Colour
    cooling: Colour
    shell: Colour
    dash: Colour
    muzzle: Colour = "#ffd75e"  # the flash of the gun


class Enemy(_Part):
    """An enemy's colours; `glow` announces its attack."""

    outline: Colour
    body: Colour
    trim: Colour
    detail: Colour
    glow: Colour


class Charger(Enemy):
    """A charger also has a colour for when it is stunned, and one for its stars."""

    stunned: Colour
    stars: Colour


class Shot(_Part):
    """A shot's colours from its middle to its trail."""

    core: Colour
    body: Colour
    outline: Colour
    trail: Colour


class Saw(_Part):
    """A saw's colours."""

    outline: Colour
    blade: Colour
    edge: Colour
    hub: Colour


class Spikes(_Part):
    """The colours of a spike plate; `warning` is its glow before they rise."""

    outline: Colour
    plate: Colour
    rim: Colour
    hole: Colour
    spike: Colour
    tip: Colour
    warning: Colour


class Blast(_Part):
    """A blast's colours from its middle outwards, and the mark of a hit on the player."""

    core: Colour
    fire: Colour
    smoke: Colour
    player_hit: Colour


class Skin(_Part):
    """All that the art takes its looks from."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    description: str
    shadow: Colour
    flash: Colour  # what an enemy turns to when it is hit
    shape: Shape
    ground: Ground
    light: Light = Light()
    finish: Finish = Finish()
    player: Player
    swarmer: Enemy
    shooter: Enemy
    charger: Charger
    splitter: Enemy
    bomber: Enemy
    sentinel: Enemy
    shot: Shot
    enemy_shot: Shot
    saw: Saw
    spikes: Spikes
    blast: Blast


RANDOM = "random"  # instead of a name: each episode in the skin that its seed picks


def names() -> tuple[str, ...]:
    """The names of the skins that come with the package, in alphabetical order."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.json")))


def load(name_or_path: str | Path) -> Skin:
    """Loads a skin by its name, or from a JSON file of the user's own.

    Args:
        name_or_path: One of `names()`, or a path that ends in `.json`.

    Returns:
        The skin.

    Raises:
        ValueError: No such skin or file, or the file is not a valid skin.
    """
    if str(name_or_path).endswith(".json"):
        return _read(Path(name_or_path))
    name = str(name_or_path)
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(names())}."
        raise ValueError(f"There is no skin {name!r}: {advice}")
    return _built_in(name)


def every(name_or_path: str | Path) -> tuple[Skin, ...]:
    """The skins that a setting stands for: one, or for "random" all that come with the package.

    Raises:
        ValueError: No such skin or file, or the file is not a valid skin.
    """
    if name_or_path == RANDOM:
        return tuple(load(name) for name in names())
    return (load(name_or_path),)


def check(name_or_path: str | Path) -> None:
    """Refuses what `every` would refuse, without loading all that "random" stands for.

    Raises:
        ValueError: No such skin or file, or the file is not a valid skin.
    """
    if name_or_path != RANDOM:
        load(name_or_path)


@functools.cache
def _built_in(name: str) -> Skin:
    return _read(_FOLDER / f"{name}.json")


def _read(file: Path) -> Skin:
    try:
        return Skin.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ValueError(f"{file}: the skin cannot be read ({error.strerror}).") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{file}: {place or 'the file'}: {first['msg']}.") from None
