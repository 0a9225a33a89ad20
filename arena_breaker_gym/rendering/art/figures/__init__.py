"""The sets of figures that a skin chooses from: the same seven roles, each drawn differently."""

from types import MappingProxyType
from typing import Protocol

from arena_breaker_gym.rendering.art.canvas import Sprite
from arena_breaker_gym.rendering.art.figures import creatures, glyphs, machines, toys
from arena_breaker_gym.rendering.skins import Skin


class Figures(Protocol):
    """What draws one set: a module with a function for the player and each enemy.

    Every function takes a skin, the pixels per metre, and what the sheet's blocks count:
    `heading` in `sheet.HEADINGS` steps of a turn, an animation's `step`, an attack's `phase`
    or `variant`, and whether a dash or a shot is `ready`.
    """

    def player(self, skin: Skin, scale: float, *, heading: int, ready: bool) -> Sprite:
        """The player, who aims along `heading`; `ready` lights the lamp of its dash."""

    def swarmer(self, skin: Skin, scale: float, *, heading: int, step: int) -> Sprite:
        """The smallest and quickest, in one of `sheet.SWARMER_STEPS` steps."""

    def shooter(self, skin: Skin, scale: float, *, heading: int, ready: bool) -> Sprite:
        """The one with a barrel, lit up when it is about to fire."""

    def charger(self, skin: Skin, scale: float, *, heading: int, phase: int) -> Sprite:
        """The horned one: walking, winding up, charging or stunned."""

    def splitter(self, skin: Skin, scale: float, *, step: int) -> Sprite:
        """The one in three parts, in one of `sheet.SPLITTER_STEPS` steps of turning."""

    def bomber(self, skin: Skin, scale: float, *, variant: int) -> Sprite:
        """The one that blows up: calm, lit and dark, lit and bright."""

    def sentinel(self, skin: Skin, scale: float, *, variant: int) -> Sprite:
        """The largest: calm, three levels of charge, about to fire aimed shots."""


_SETS: MappingProxyType[str, Figures] = MappingProxyType(
    {"machines": machines, "toys": toys, "glyphs": glyphs, "creatures": creatures}
)


def figures_of(skin: Skin) -> Figures:
    """The set that a skin names."""
    return _SETS[skin.shape.figures]
