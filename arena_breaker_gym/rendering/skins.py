"""`Skin`: what a skin file holds; skins by name or file, those that come along and users' own.

The game is the same in every skin; only pixels differ. `skin` says what a skin holds. A file of
your own may name a `parent` that comes along and give only what differs from it.

Lengths are metres, times seconds; a `Share` is a part of the whole from 0 to 1.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from arena_breaker_gym._runtime.json_file import (
    Fault,
    FileError,
    faults_of,
    json_of,
    one_of,
    quoted,
    text_of,
    with_schema_key,
)

Colour = Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")]
Share = Annotated[float, Field(ge=0.0, le=1.0)]

_FOLDER = Path(__file__).parent / "skins"
_PARENT = "parent"


class _Part(BaseModel):
    """A piece of a skin: immutable, with every key known."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Shape(_Part):
    """Which figures there are, and measures that all of them share."""

    figures: Literal["machines", "toys", "glyphs", "creatures"] = Field(
        default="machines", description="set of figures that enemies and the player are drawn as"
    )

    body_scale: Annotated[float, Field(ge=1.0, le=1.6)] = Field(
        description="drawn size over the rules' radius"
    )
    height_scale: Annotated[float, Field(ge=0.3, le=2.0)] = Field(
        description="height of figures over the usual"
    )
    outline: Annotated[float, Field(ge=0.0, le=0.2)] = Field(
        description="m, thickness of outlines; 0: none"
    )
    trail: Annotated[float, Field(ge=0.0, le=0.3)] = Field(
        description="s of flight that a shot's trail shows"
    )
    saw_teeth: Annotated[int, Field(ge=5, le=32)] = Field(description="teeth of a saw")
    shadow: Share = Field(description="share: how dark figures' shadows are")
    gloss: Share = Field(description="share: how strong the light spots on round bodies are")


class Surface(_Part):
    """Colours of a skin's own for what a stage is built of."""

    floor: Colour = Field(description="the floor")
    floor_line: Colour = Field(description="the seams or lines of the floor's texture")
    wall_top: Colour = Field(description="tops of the outer wall")
    wall_side: Colour = Field(description="fronts of the outer wall")
    obstacle_top: Colour = Field(description="tops of obstacles")
    obstacle_side: Colour = Field(description="fronts of obstacles")
    paint: Colour = Field(default="#ffffff", description="lines painted on the floor")
    brightness: Annotated[float, Field(ge=0.2, le=1.5)] = Field(
        default=1.0, description="factor on all these colours"
    )
    share: Share = Field(default=1.0, description="share of the stage's colours that these replace")


class Light(_Part):
    """How light falls on walls and obstacles."""

    side: Annotated[float, Field(ge=-2.0, le=2.0)] = Field(
        default=1.0, description="how far from the left it comes; below 0: from the right"
    )
    contrast: Annotated[float, Field(ge=0.0, le=2.0)] = Field(
        default=1.0, description="of fronts to tops, over the usual"
    )
    shadow_length: Annotated[float, Field(ge=0.0, le=4.0)] = Field(
        default=1.0, description="of walls and obstacles, over the usual; 0: no shadows"
    )
    rim: Annotated[float, Field(ge=0.3, le=2.5)] = Field(
        default=1.25, description="brightness of the edges of tops, over the tops'"
    )
    rim_colour: Colour | None = Field(
        default=None, description="colour of those edges instead; null: the tops' own, by `rim`"
    )


class Finish(_Part):
    """What is done to pictures when they are drawn, as by a screen or a press."""

    levels: Annotated[int, Field(ge=0, le=32)] = Field(
        default=0, description="steps that each of red, green and blue has; 0: all 256"
    )
    palette: tuple[Colour, ...] = Field(
        default=(), description="the only colours there are, from dark to light; empty: all"
    )
    block: Annotated[int, Field(ge=1, le=4)] = Field(
        default=1, description="pixels along the side of a block of one colour"
    )
    dither: bool = Field(default=False, description="soft edges become a pattern of whole pixels")
    halo: Share = Field(default=0.0, description="share: light about figures, in their own colours")
    scanlines: Share = Field(
        default=0.0, description="share: how much darker every third row of ground is"
    )
    grain: Share = Field(
        default=0.0, description="share: how much single pixels of the ground differ"
    )


class Ground(_Part):
    """How floor, walls and obstacles look; colours are the stage's where there is no `surface`."""

    texture: Literal[
        "tiles", "grid", "hexes", "planks", "dots", "stripes", "speckles", "rings", "checks"
    ] = Field(default="tiles", description="pattern of the floor; tiles: the stage's own paving")
    surface: Surface | None = Field(
        default=None, description="colours instead of the stage's; null: the stage's"
    )

    outside: Colour = Field(description="what lies beyond the outer wall")
    tint: Colour = Field(description="colour that the stage's colours are mixed with")
    tint_strength: Share = Field(
        description="share of `tint` in the mixture; 0: the stage's colours as they are"
    )
    tile: Annotated[float, Field(ge=0.25, le=8.0)] = Field(
        description="m from one repetition of the texture to the next"
    )
    line: Annotated[float, Field(ge=0.0, le=0.3)] = Field(
        description="m, thickness of the texture's lines"
    )
    mottle: Share = Field(description="share: how much one tile's lightness differs from the next")
    paint: Share = Field(
        default=0.0,
        description="share: how strong lines, gates' marks and hazard bands are painted",
    )
    wear: Share = Field(default=0.0, description="share: how strong stains, scuffs and cracks are")
    vignette: Share = Field(description="share: how much darker the floor's edges are")
    shadow: Share = Field(description="share: how dark the shadows of walls and obstacles are")
    track: Colour = Field(description="the groove in which a saw travels")
    track_edge: Colour = Field(description="the edges of that groove")


class Player(_Part):
    """The player's colours; `ready` and `cooling` tell whether the dash is."""

    outline: Colour = Field(description="the line about the figure")
    body: Colour = Field(description="most of the figure")
    trim: Colour = Field(description="its smaller parts")
    barrel: Colour = Field(description="the gun, which shows the aim")
    ready: Colour = Field(description="the lamp while the dash is ready")
    cooling: Colour = Field(description="the lamp until it is ready again")
    shell: Colour = Field(description="the ring of grace after a hit")
    dash: Colour = Field(description="the streak behind a dash")
    muzzle: Colour = Field(default="#ffd75e", description="the flash of the gun")


class Enemy(_Part):
    """An enemy's colours; `glow` announces its attack."""

    outline: Colour = Field(description="the line about the figure")
    body: Colour = Field(description="most of the figure")
    trim: Colour = Field(description="its smaller parts")
    detail: Colour = Field(description="eyes, marks and other small things")
    glow: Colour = Field(description="what announces its attack")


class Charger(Enemy):
    """A charger also has a colour for when it is stunned, and one for its stars."""

    stunned: Colour = Field(description="the body while it is stunned")
    stars: Colour = Field(description="the stars that it sees then")


class Shot(_Part):
    """A shot's colours from its middle to its trail."""

    core: Colour = Field(description="its middle")
    body: Colour = Field(description="most of it")
    outline: Colour = Field(description="the line about it")
    trail: Colour = Field(description="what it leaves behind")


class SawColours(_Part):
    """A saw's colours."""

    outline: Colour = Field(description="the line about it")
    blade: Colour = Field(description="the disc")
    edge: Colour = Field(description="its teeth's edges")
    hub: Colour = Field(description="its middle")


class SpikesColours(_Part):
    """The colours of a spike plate; `warning` is its glow before they rise."""

    outline: Colour = Field(description="the line about the plate")
    plate: Colour = Field(description="the plate")
    rim: Colour = Field(description="its rim")
    hole: Colour = Field(description="the holes that spikes hide in")
    spike: Colour = Field(description="a spike")
    tip: Colour = Field(description="its tip")
    warning: Colour = Field(description="the glow before they rise")


class Blast(_Part):
    """A blast's colours from its middle outwards, and the mark of a hit on the player."""

    core: Colour = Field(description="its middle")
    fire: Colour = Field(description="about the middle")
    smoke: Colour = Field(description="its edge")
    player_hit: Colour = Field(description="the mark of a hit on the player")


class Skin(_Part):
    """All that the art takes its looks from."""

    name: Annotated[str, Field(min_length=1, max_length=40)] = Field(
        description="what people call the skin"
    )
    description: str = Field(description="one sentence on how it looks")
    shadow: Colour = Field(description="colour of figures' shadows")
    flash: Colour = Field(description="what an enemy turns to when it is hit")
    shape: Shape = Field(description="the figures and their measures")
    ground: Ground = Field(description="floor, walls and obstacles")
    light: Light = Field(default=Light(), description="how light falls on walls and obstacles")
    finish: Finish = Field(default=Finish(), description="what is done to the drawn picture")
    player: Player = Field(description="colours of the player")
    swarmer: Enemy = Field(description="colours of swarmers")
    shooter: Enemy = Field(description="colours of shooters")
    charger: Charger = Field(description="colours of chargers")
    splitter: Enemy = Field(description="colours of splitters")
    bomber: Enemy = Field(description="colours of bombers")
    sentinel: Enemy = Field(description="colours of sentinels")
    shot: Shot = Field(description="colours of the player's shots")
    enemy_shot: Shot = Field(description="colours of enemies' shots")
    saw: SawColours = Field(description="colours of saws")
    spikes: SpikesColours = Field(description="colours of spikes")
    blast: Blast = Field(description="colours of blasts and hits")


class SkinError(FileError):
    """A skin file cannot be used; the message says which, where in it, and what was expected."""


RANDOM = "random"  # instead of a name: each episode in the skin that its seed picks


def names() -> tuple[str, ...]:
    """The names of the skins that come with the package, in alphabetical order."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.json")))


def file_of(name: str) -> Path:
    """The file of a skin that comes with the package, good to begin from."""
    return _FOLDER / f"{name}.json"


def load(name_or_path: str | Path) -> Skin:
    """Loads a skin by its name, or from a JSON file of the user's own.

    Args:
        name_or_path: One of `names()`, or a path that ends in `.json`.

    Returns:
        The skin.

    Raises:
        ValueError: There is no such skin; a file that is none is refused with a `SkinError`.
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
        ValueError: There is no such skin; a file that is none is refused with a `SkinError`.
    """
    if name_or_path == RANDOM:
        return tuple(load(name) for name in names())
    return (load(name_or_path),)


def schema() -> dict[str, Any]:
    """The JSON schema of a skin file: all of a skin, or a `parent` and what differs from it."""
    whole = with_schema_key(Skin.model_json_schema())
    parts = whole.pop("$defs")
    loose = {f"{name}Changes": _loosened(part) for name, part in parts.items()}
    changes = _loosened(whole)
    changes["properties"][_PARENT] = {
        "description": "name of the skin that has all that this file does not give",
        "enum": list(names()),
    }
    return {
        "title": "Skin",
        "description": "A skin: all of it, or a parent and what differs.",
        "type": "object",
        "if": {"required": [_PARENT]},
        "then": {"$ref": "#/$defs/Changes"},
        "else": {"$ref": "#/$defs/Skin"},
        "$defs": {**parts, **loose, "Skin": whole, "Changes": changes},
    }


def _loosened(schema: Any) -> Any:
    """A schema of which every entry may be left out, in all its parts."""
    if isinstance(schema, list):
        return [_loosened(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _loosened(value) for key, value in schema.items() if key != "required"}
    return kept | {"$ref": f"{kept['$ref']}Changes"} if "$ref" in kept else kept


def check(name_or_path: str | Path) -> None:
    """Refuses what `every` would refuse, without loading all that "random" stands for.

    Raises:
        ValueError: There is no such skin; a file that is none is refused with a `SkinError`.
    """
    if name_or_path != RANDOM:
        load(name_or_path)


@functools.cache
def _built_in(name: str) -> Skin:
    return _read(file_of(name))


def _read(file: Path) -> Skin:
    text = text_of(file, kind="a skin file")
    own = text if isinstance(text, Fault) else json_of(text)
    if isinstance(own, Fault):
        raise SkinError(str(file), [own])
    parent = own.pop(_PARENT, None)
    faults = [] if parent is None or parent in names() else [_no_parent(parent)]
    try:
        skin = Skin.model_validate(own if parent is None else _grown(own, parent, file))
    except ValidationError as error:
        faults += faults_of(error, Skin, also=(_PARENT,))
    if faults:
        raise SkinError(str(file), faults if parent is not None else _hinted(faults))
    return skin


def _no_parent(name: object) -> Fault:
    wanted = f"the name of a skin that comes along: {one_of(names(), not_=str(name))}"
    return Fault(_PARENT, quoted(name), wanted)


def _grown(own: Mapping[str, object], parent: object, file: Path) -> dict[str, object]:
    """One's own entries over the parent's; without that parent, over the default's."""
    name = str(parent) if parent in names() else "default"
    signed = {"name": file.stem[:40], "description": f"{name}, changed."}
    return _laid_over(_built_in(name).model_dump() | signed, own)


def _laid_over(parent: Mapping[str, object], own: Mapping[str, object]) -> dict[str, object]:
    """The parent's entries with your own in their place, part by part."""
    both = dict(parent)
    for key, value in own.items():
        below = both.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            both[key] = _laid_over(below, value)
        else:
            both[key] = value
    return both


def _hinted(faults: list[Fault]) -> list[Fault]:
    """The faults of a file without a parent; the first thing missing tells that it might have one.

    Told once: such a file often lacks a great deal.
    """
    hinted = list(faults)
    for index, fault in enumerate(hinted):
        if fault.found == "nothing":
            hint = f'{fault.expected}, or at the top a "{_PARENT}" that has all that is missing'
            hinted[index] = replace(fault, expected=hint)
            break
    return hinted
