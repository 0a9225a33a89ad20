"""`Screen`: the window in which a person sees the session."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pygame
from numpy.typing import NDArray

from arena_breaker_agents.human import HumanAgent
from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.engine.arena import TICK, TICKS_PER_SECOND
from arena_breaker_gym.play import panels, words
from arena_breaker_gym.play.clip import command_for
from arena_breaker_gym.play.panels import EndPanel
from arena_breaker_gym.play.session import Mode, Session
from arena_breaker_gym.play.sound import Sound
from arena_breaker_gym.play.window import (
    SMALLEST,
    Window,
    WindowLayout,
    no_window,
    side_of,
    whole_side,
)
from arena_breaker_gym.rendering.camera import Camera
from arena_breaker_gym.rendering.compose import SHOT_HEIGHT
from arena_breaker_gym.rendering.renderer import LARGEST, Renderer
from arena_breaker_gym.rollout.episode import Episode
from arena_breaker_gym.rollout.replay import Layers
from arena_breaker_gym.settings import Settings

FARTHEST = 2.0  # m: nothing runs or dashes so far in a step, so it was put there

SETTLED_S = 0.3  # a window that keeps its size for so long is drawn at that size, no longer scaled
_POSED = 75  # steps into each stage at which the menu shows it


def between(before: NDArray[np.void], after: NDArray[np.void], share: float) -> NDArray[np.void]:
    """The later state with all that moves set back to where it was on its way there.

    Only places are blended; everything else, such as hits and bursts, is as it is after the
    step. Neither state is written to.

    Args:
        before: (1,) record of dtype `engine.arena.ARENA`, a step earlier.
        after: (1,) record, a step later.
        share: How much of the step's time has passed, 0 to 1.

    Returns:
        (1,) record to be drawn.
    """
    shown = after.copy()
    left = 1.0 - share
    if before["stage"][0] != after["stage"][0] or before["tick"][0] >= after["tick"][0]:
        return shown  # another stage, or another game
    for table, same in (
        ("player", np.ones(1, dtype=np.bool_)),
        ("enemies", _equal(before["enemies"], after["enemies"], ("kind", "serial"))),
        ("hazards", _equal(before["hazards"], after["hazards"], ("kind",))),
    ):
        _set_back(shown[table], before[table], same, left)
    passed = left * TICK * float(after["tick"][0] - before["tick"][0])
    for table in ("shots", "enemy_shots"):
        _pull_back(shown[table], passed)
    return shown


def _equal(
    before: NDArray[np.void], after: NDArray[np.void], names: tuple[str, ...]
) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = np.all([before[name] == after[name] for name in names], axis=0)
    return equal


def _set_back(
    shown: NDArray[np.void], before: NDArray[np.void], same: NDArray[np.bool_], left: float
) -> None:
    """Moves those that are the same towards where they were, unless they were put elsewhere."""
    dx, dz = before["x"] - shown["x"], before["z"] - shown["z"]
    moved = same & (np.hypot(dx, dz) < FARTHEST)
    shown["x"] += np.where(moved, left * dx, 0.0)
    shown["z"] += np.where(moved, left * dz, 0.0)


def _pull_back(shots: NDArray[np.void], seconds: float) -> None:
    """Shots fly straight, so where they were follows from their velocity, newborn ones' too."""
    shots["x"] -= seconds * shots["vx"]
    shots["z"] -= seconds * shots["vz"]


class Screen:
    """A window with the arena, a square as large as it has room for, and a line of help below."""

    def __init__(
        self,
        settings: Settings,
        *,
        size: int | None,
        hud: bool,
        gamepad: bool,
        full_screen: bool = False,
        sound: Sound | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Plans the window; `prepare` opens it.

        Args:
            settings: The games' settings.
            size: Width of the window, 320 to 1024 pixels, less where the desktop has no room for
                it; None: what there is room for, at most 768.
            hud: Whether hit points, score, stage and wave are shown.
            gamepad: Whether the controller is shown as the person holds it.
            full_screen: Whether it takes the whole screen at once.
            sound: What is heard, for the words about it; it is only read.
            clock: Seconds that only grow.

        Raises:
            ValueError: If the size is out of range, or there is no such skin.
            OSError: If there is no screen to open it on.
        """
        try:
            pygame.display.init()
            asked = side_of(None if size is None else _checked(size))
            drawn = min(whole_side(), LARGEST) if full_screen else asked
        except pygame.error as error:
            raise no_window(str(error)) from None
        self._window = Window(asked)
        self._full_screen = full_screen
        self._sound = sound
        self._clock = clock
        self._settings = settings
        self._layers = Layers(hud=hud, gamepad=gamepad)
        self._arenas = Arenas(settings, count=1)
        self._cards: list[panels.Card] = []
        self._new_side, self._new_since = 0, 0.0
        self._take_side(drawn)

    @property
    def surface(self) -> pygame.Surface:
        """The window's whole surface, once it is open."""
        return self._window.surface

    def prepare(self, tell: Callable[[str], None] = lambda _: None) -> None:
        """Paints all stages, so that none of them holds up play, then opens the window.

        Args:
            tell: Is told what is going on, as there is no window yet.

        Raises:
            OSError: If no window can be opened.
        """
        models = self._arenas.loaded.models
        for number, model in enumerate(models, start=1):
            tell(f"Painting stage {number} of {len(models)} …")
            self._arenas.reset(0, (0, number), stage=number)
            for _ in range(_POSED):
                self._arenas.step(np.zeros((1, 5)))
            picture = _surface_of(self._renderer.compose(self._arenas.records)[0])
            self._cards.append(panels.Card(model.name, picture))
        try:
            self._window.open(self._draw_first, full_screen=self._full_screen)
        except pygame.error as error:
            raise no_window(str(error)) from None

    def turn(self) -> None:
        """Takes the whole screen, or goes back."""
        self._window.turn()

    def player_at(self, records: NDArray[np.void]) -> tuple[float, float]:
        """Where the player's gun is seen, column and row of the window in pixels.

        Args:
            records: (1,) record of dtype `engine.arena.ARENA`.
        """
        arena, layout = records[0], self._layout
        player, camera = arena["player"], self._cameras[int(arena["stage"])]
        x, y = camera.project(float(player["x"]), float(player["z"]), SHOT_HEIGHT)
        scale = layout.side / self._renderer.size
        return layout.outside((scale * x, scale * y))

    def stage_at(self, at: tuple[int, int]) -> int:
        """The stage, from 1, whose card in the menu lies there; 0: none."""
        layout = self._layout
        places = panels.card_places(len(self._cards), layout.side)
        for number, place in enumerate(places, start=1):
            if place.collidepoint(layout.inside(at)):
                return number
        return 0

    def show(self, session: Session, human: HumanAgent, share: float) -> None:
        """Shows the session as it stands.

        Args:
            session: What is played; it is only read.
            human: Who plays.
            share: How much of the next step's time has passed, 0 to 1.
        """
        self._settle()
        self.draw(session, human, share)
        at_play = session.mode in (Mode.PLAYING, Mode.READY)
        pygame.mouse.set_visible(not at_play or human.points_at is None)
        pygame.display.flip()

    def draw(self, session: Session, human: HumanAgent, share: float) -> None:
        """Draws what `show` shows."""
        surface, layout = self.surface, self._layout
        whole = layout.whole
        bare = layout.strip if whole == surface.get_rect() else surface.get_rect()
        surface.fill(words.GLASS, bare)
        if not surface.get_rect().contains(whole):
            return  # dragged so small that nothing could be told apart
        canvas = surface.subsurface(whole)
        self._draw_arena(canvas, session, share)
        _PAINTERS[session.mode](self, canvas, session, human)
        if session.mode not in (Mode.PLAYING, Mode.READY):
            if session.clip is not None and not (session.mode is Mode.OVER and _clip_of(session)):
                panels.draw_line(canvas, layout.strip, session.clip.words)
        elif human.points_at is not None:
            side = layout.side
            panels.draw_crosshair(surface, human.points_at, side=side, fires=human.fires)

    def close(self) -> None:
        """Closes the window."""
        pygame.display.quit()

    @property
    def _layout(self) -> WindowLayout:
        return WindowLayout.of(self.surface.get_size())

    def _draw_first(self) -> None:
        """The first stage, darkened as behind the menu, until there is a session to show."""
        self.surface.fill(words.GLASS)
        whole = self._layout.whole
        if self.surface.get_rect().contains(whole):
            canvas = self.surface.subsurface(whole)
            picture = self._cards[self._settings.start_stage - 1].picture
            _lay(canvas, picture, self._layout.side)
            words.dim(canvas, canvas.get_rect(), dark=210)
        pygame.display.flip()

    def _take_side(self, side: int) -> None:
        """Draws arenas of some side from now on; a stage is painted when it is first shown."""
        models = self._arenas.loaded.models
        self._renderer = Renderer(models, size=side, skin=self._settings.skin)
        self._cameras = [Camera.over(model.size.width, model.size.depth, side) for model in models]
        self._frame = np.zeros((1, side, side, 3), dtype=np.uint8)

    def _settle(self) -> None:
        """Draws arenas as large as the window shows them, once it has kept its size a while."""
        side = min(self._layout.side, LARGEST)
        if side != self._new_side:
            self._new_side, self._new_since = side, self._clock()
        elif side != self._renderer.size and self._clock() - self._new_since >= SETTLED_S:
            self._take_side(side)

    def _draw_arena(self, canvas: pygame.Surface, session: Session, share: float) -> None:
        game, before = session.game, session.before
        if session.mode is Mode.MENU or game is None or before is None:
            _lay(canvas, self._cards[session.chosen - 1].picture, self._layout.side)
            return
        over = session.mode is Mode.OVER
        shown = between(before, game.arenas.records, 1.0 if over else share)
        frame = self._renderer.compose(shown, self._frame)[0]
        if not over:  # the end's panel says what the HUD's banner would
            frame = self._layers.over(frame, game.arenas, action=session.action)
        _lay(canvas, _surface_of(frame), self._layout.side)

    def _turns(self) -> words.Keys:
        """What keys turn on and off about the window."""
        full: words.Keys = (("F11", "full screen"),)
        if self._sound is None or not self._sound.works:
            return full
        return (*full, ("N", "sound on" if self._sound.muted else "sound off"))

    def _draw_menu(self, canvas: pygame.Surface, session: Session, human: HumanAgent) -> None:
        cards = [
            replace(card, best=best[0].score if (best := session.best(stage)) else None)
            for stage, card in enumerate(self._cards, start=1)
        ]
        panels.draw_menu(
            canvas,
            cards,
            session.chosen,
            side=self._layout.side,
            back=session.game is not None and not session.game.over,
            turns=self._turns(),
        )

    def _draw_ready(self, canvas: pygame.Surface, session: Session, human: HumanAgent) -> None:
        self._draw_play(canvas, session, human)
        panels.draw_countdown(
            canvas,
            session.count,
            self._cards[session.chosen - 1].name,
            side=self._layout.side,
            by_gamepad=human.by_gamepad,
        )

    def _draw_play(self, canvas: pygame.Surface, session: Session, human: HumanAgent) -> None:
        panels.draw_help(
            canvas,
            self._layout.strip,
            _clock_of(session),
            keeps_firing=human.keeps_firing,
            by_gamepad=human.by_gamepad,
            records=session.terms.records,
        )

    def _draw_pause(self, canvas: pygame.Surface, session: Session, human: HumanAgent) -> None:
        panels.draw_pause(
            canvas,
            stages=len(self._cards),
            side=self._layout.side,
            by_gamepad=human.by_gamepad,
            turns=self._turns(),
        )

    def _draw_end(self, canvas: pygame.Surface, session: Session, human: HumanAgent) -> None:
        ending = session.ending
        if ending is None:
            return
        title, colour = _title_of(ending)
        EndPanel(
            title=title,
            colour=colour,
            reason="all stages are cleared" if title == "VICTORY" else ending.reason,
            figures=_figures_of(ending),
            best=session.best(ending.stage),
            place=session.place,
            command="" if session.kept_as is None else command_for(session.kept_as),
            clip=_clip_of(session),
            note=session.note,
            stages=len(self._cards),
            by_gamepad=human.by_gamepad,
        ).draw(canvas, self._layout.side)


_PAINTERS: dict[Mode, Callable[[Screen, pygame.Surface, Session, HumanAgent], None]] = {
    Mode.MENU: Screen._draw_menu,
    Mode.READY: Screen._draw_ready,
    Mode.PLAYING: Screen._draw_play,
    Mode.PAUSED: Screen._draw_pause,
    Mode.OVER: Screen._draw_end,
}


def _checked(size: int) -> int:
    if not SMALLEST <= size <= LARGEST:
        raise ValueError(f"size must be {SMALLEST} to {LARGEST} pixels, got {size}.")
    return size


def _surface_of(frame: NDArray[np.uint8]) -> pygame.Surface:
    """A surface that shows a frame's pixels, which it shares."""
    pixels = np.ascontiguousarray(frame).data.cast("B")
    return pygame.image.frombuffer(pixels, (frame.shape[1], frame.shape[0]), "RGB")


def _lay(canvas: pygame.Surface, picture: pygame.Surface, side: int) -> None:
    """Lays a square picture over an arena of some side."""
    if picture.get_width() != side:
        picture = pygame.transform.smoothscale(picture, (side, side))
    canvas.blit(picture, (0, 0))


def _clock_of(session: Session) -> str:
    """The time left, or where there is no limit, the time played."""
    steps = 0 if session.game is None else session.game.steps
    if session.terms.limited:
        steps = session.steps_left
    seconds = -(-steps * session.terms.settings.frame_skip // TICKS_PER_SECOND)
    return f"{seconds // 60}:{seconds % 60:02d}"


def _clip_of(session: Session) -> str:
    """How the film of the game that is over stands; empty if none was asked for."""
    clip = session.clip
    return clip.words if clip is not None and clip.episode == session.kept_as else ""


def _title_of(ending: Episode) -> tuple[str, words.RGB]:
    if ending.reason == "victory":
        return "VICTORY", words.GOLD
    return ("DEFEATED", words.RED) if ending.status == "completed" else ("TIME IS UP", words.ACCENT)


def _figures_of(ending: Episode) -> Sequence[tuple[str, str]]:
    metrics = ending.metrics
    whole = partial("{:.0f}".format)
    return (
        ("score", whole(metrics["score"])),
        ("kills", whole(metrics["kills"])),
        ("seconds", whole(metrics["survival_seconds"])),
        ("stage", whole(metrics["stage_reached"])),
        ("waves cleared", whole(metrics["waves_cleared"])),
        ("shots that hit", f"{100 * metrics['accuracy']:.0f} %"),
    )
