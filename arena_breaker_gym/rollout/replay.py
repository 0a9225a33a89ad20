"""Replay: an episode is played again from its seed and actions, checked, and drawn."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from arena_breaker_gym._runtime.plain import plain_int
from arena_breaker_gym._runtime.stored import shortened
from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.engine.tick import ENGINE_VERSION
from arena_breaker_gym.env import draw_keys
from arena_breaker_gym.rollout.episode import Episode, StoredEpisode, hash_of, looks_of

if TYPE_CHECKING:
    from arena_breaker_gym.rendering.renderer import Renderer

CAPTION = "{agent}  ·  seed {seed}  ·  kills {kills}"
_PLACES = re.compile(r"\{(agent|seed|kills|score)\}")


@dataclass(frozen=True, kw_only=True)
class Layers:
    """Which layers lie over a frame; none unless asked for.

    Attributes:
        hud: Hit points, dash, stage, wave, score and kills, in a bar along the top.
        gamepad: The controller as the agent holds it.
        caption: A line of words, in a bar along the bottom.
    """

    hud: bool = False
    gamepad: bool = False
    caption: bool = False

    def over(
        self,
        frame: NDArray[np.uint8],
        arenas: Arenas,
        *,
        action: NDArray[np.float32] | None = None,
        caption: str = "",
    ) -> NDArray[np.uint8]:
        """The frame with the layers over it.

        Args:
            frame: (size, size, 3) uint8; it stays as it is.
            arenas: A batch of one, at the moment that the frame shows.
            action: (5,) what the agent does at that moment; None: no controller is drawn.
            caption: The words.
        """
        from arena_breaker_gym.rendering import layers

        if self.hud:
            frame = layers.draw_hud(frame, layers.hud_state_of(arenas.records, 0))
        if self.gamepad and action is not None:
            frame = layers.draw_gamepad(frame, action)
        if self.caption and caption:
            frame = layers.draw_caption(frame, caption)
        return frame


def filled(caption: str, figures: Mapping[str, object]) -> str:
    """A caption with its places taken by figures; other braces stay as they are.

    Args:
        caption: Words, with {agent}, {seed}, {kills} and {score} wherever those belong.
        figures: What stands there, by these four names.
    """
    return _PLACES.sub(lambda place: str(figures[place[1]]), caption)


class ReplayError(ValueError):
    """An episode cannot be played again as it was; the message says which and why."""


def resimulate(episode: Episode) -> Iterator[tuple[int, Arenas]]:
    """Plays an episode again, moment by moment.

    Draw, observe or read the batch of one at each moment; do not step it. The check of the
    end comes after moment T, so a loop that stops early has checked nothing: `verify` goes
    through to the end.

    Args:
        episode: An episode of T steps.

    Yields:
        t and the arena as the agent saw it before action t, for t = 0 … T; T is the end.

    Raises:
        ReplayError: Before the first moment if engine or stages are others than those it was
            played with, and after the last if the end is not the recorded one.
    """
    check_stages_named(episode)
    arenas = Arenas(episode.settings, count=1, limit=episode.max_steps)
    _check_world(episode, arenas)
    keys = draw_keys(seeding.np_random(episode.seed)[0])
    arenas.reset(0, keys, stage=episode.stage)
    for step, action in enumerate(episode.actions):
        yield step, arenas
        arenas.step(action[np.newaxis])
    yield len(episode), arenas
    if hash_of(arenas.records[0]) != episode.final_hash:
        raise ReplayError(
            f"{_title(episode)} does not end as recorded: its actions, seed or settings were "
            "changed, or the engine was without a new version."
        )


def verify(episode: Episode) -> None:
    """Plays an episode to its end and checks that it ends as recorded.

    Raises:
        ReplayError: If it does not, or cannot be played with this engine or these stages.
    """
    for _ in resimulate(episode):
        pass


def replay(
    episode: Episode,
    *,
    skin: str | None = None,
    size: int | None = None,
    layers: Layers | None = None,
    caption: str = CAPTION,
    every: int = 1,
) -> Iterator[NDArray[np.uint8]]:
    """Draws an episode again: without layers, the frames are those that a student sees.

    Args:
        episode: An episode of T steps.
        skin: Looks to draw it in; None: those it was played in.
        size: Side of the frames in pixels; None: that of the settings.
        layers: What is drawn over them for people; None: nothing.
        caption: The words of the caption layer. {agent}, {seed}, {kills} and {score} in them
            stand for the agent's name, the episode's seed, and the figures of the moment.
        every: Draws one moment in so many, from the first on, and in any case the end.

    Yields:
        T + 1 frames (size, size, 3) uint8: frame t belongs to action t, the last is the end
        (and shows the last action, if the gamepad is drawn). With `every`, ceil(T / every) + 1
        of them.

    Raises:
        ReplayError: As `resimulate`, if the episode does not play as recorded.
    """
    painter = EpisodePainter(episode, skin=skin, size=size, layers=layers, caption=caption)
    every = plain_int("every", every)
    for step, arenas in resimulate(painter.episode):
        if step % every == 0 or step == len(episode):
            yield painter.frame(step, arenas)


class EpisodePainter:
    """Draws moments of an episode, in any order.

    Attributes:
        episode: The episode in the looks that it is drawn in: what to resimulate.
    """

    def __init__(
        self,
        episode: Episode,
        *,
        skin: str | None = None,
        size: int | None = None,
        layers: Layers | None = None,
        caption: str = CAPTION,
    ) -> None:
        """Prepares to draw; the arguments are those of `replay`."""
        settings = replace(episode.settings, skin=looks_of(episode, skin))
        self.episode = replace(episode, settings=settings)
        self._size = size or settings.pixel_size
        self._layers = layers
        self._caption = caption
        self._renderer: Renderer | None = None

    def frame(self, step: int, arenas: Arenas) -> NDArray[np.uint8]:
        """A moment's frame, (size, size, 3) uint8.

        Args:
            step: The moment's number.
            arenas: A batch of one as it was then.
        """
        if self._renderer is None:
            self._renderer = _renderer_of(arenas, self._size)
        frame: NDArray[np.uint8] = self._renderer.compose(arenas.records)[0]
        if self._layers is None:
            return frame
        actions = self.episode.actions
        action = actions[min(step, len(actions) - 1)] if len(actions) else None
        words = filled(self._caption, _figures(self.episode, arenas))
        return self._layers.over(frame, arenas, action=action, caption=words)


def _renderer_of(arenas: Arenas, size: int) -> "Renderer":
    from arena_breaker_gym.rendering.renderer import Renderer

    return Renderer(arenas.loaded.models, size=size, skin=arenas.settings.skin)


def _figures(episode: Episode, arenas: Arenas) -> dict[str, object]:
    statistics = arenas.records[0].statistics
    return {
        "agent": episode.agent,
        "seed": episode.seed,
        "kills": int(statistics.kills),
        "score": int(statistics.score),
    }


def _check_world(episode: Episode, arenas: Arenas) -> None:
    if episode.engine_version != ENGINE_VERSION:
        raise ReplayError(
            f"{_title(episode)} was played under version {episode.engine_version} of the engine, "
            f"but this is version {ENGINE_VERSION}."
        )
    if episode.stages_digest != arenas.loaded.digest:
        raise ReplayError(f"{_title(episode)} was played on stages that have been changed since.")


def check_stages_named(episode: Episode) -> None:
    """Refuses an episode whose file only names the stages that it was played on.

    Raises:
        ReplayError: If it is such.
    """
    if isinstance(episode, StoredEpisode) and not episode.stages_named():
        raise ReplayError(
            f"{_title(episode)} was played on stage files that it only names "
            f"({shortened((episode.settings.stages or ('',))[0])}): name them yourself."
        )


def _title(episode: Episode) -> str:
    return f"The episode of {shortened(episode.agent)} with seed {shortened(episode.seed)}"
