"""`Screen`: the window in which a person sees the session."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pygame
from numpy.typing import NDArray

from agents.human import HumanAgent
from arena_breaker_gym.arenas import Arenas
from arena_breaker_gym.engine.arena import TICKS_PER_SECOND
from arena_breaker_gym.play import panels, words
from arena_breaker_gym.play.between import between
from arena_breaker_gym.play.session import Mode, Session
from arena_breaker_gym.rendering.camera import Camera
from arena_breaker_gym.rendering.compose import SHOT_HEIGHT
from arena_breaker_gym.rendering.renderer import LARGEST, Renderer
from arena_breaker_gym.rollout.episode import Episode
from arena_breaker_gym.rollout.layers import Layers
from arena_breaker_gym.settings import Settings

SMALLEST = 320  # pixels a side: below, the words are too small to be read
USUAL = 768
_AROUND = 120  # pixels of a desktop that title bar and panels take
_STRIP = 18  # the arena's side is so many times as high as the line below it
_POSED = 75  # steps into each stage at which the menu shows it


class Screen:
    """A window with the arena, as large as it is wide, and a line of help below."""

    def __init__(self, settings: Settings, *, size: int | None, hud: bool, gamepad: bool) -> None:
        """Opens the window.

        Args:
            settings: The games' settings.
            size: Width of the window, 320 to 1024 pixels; None: what the desktop has room for.
            hud: Whether hit points, score, stage and wave are shown.
            gamepad: Whether the controller is shown as the person holds it.

        Raises:
            ValueError: If the size is out of range, or there is no such skin.
            OSError: If there is no screen to open it on.
        """
        try:
            pygame.display.init()
            self.size = _checked(size) if size is not None else _fitting()
            strip = self.size // _STRIP
            self.surface = pygame.display.set_mode((self.size, self.size + strip))
        except pygame.error as error:
            raise OSError(f"No window can be opened here ({error}): play needs a screen.") from None
        pygame.display.set_caption("Arena Breaker")
        self._settings = settings
        self._layers = Layers(hud=hud, gamepad=gamepad)
        self._strip = pygame.Rect(0, self.size, self.size, strip)
        self._arenas = Arenas(settings, count=1)
        models = self._arenas.loaded.models
        self._renderer = Renderer(models, size=self.size, skin=settings.skin)
        self._cameras = [
            Camera.over(model.size.width, model.size.depth, self.size) for model in models
        ]
        self._cards: list[panels.Card] = []
        self._frame = np.zeros((1, self.size, self.size, 3), dtype=np.uint8)

    def prepare(self) -> None:
        """Paints all stages, so that none of them holds up play; says so meanwhile."""
        models = self._arenas.loaded.models
        for number, model in enumerate(models, start=1):
            self.tell(f"Painting stage {number} of {len(models)}, a moment …")
            self._arenas.reset(0, (0, number), stage=number)
            for _ in range(_POSED):
                self._arenas.step(np.zeros((1, 5)))
            picture = _surface_of(self._renderer.compose(self._arenas.records)[0])
            self._cards.append(panels.Card(model.name, picture))

    def tell(self, text: str) -> None:
        """Shows a line of words and nothing else."""
        panels.draw_waiting(self.surface, text)
        pygame.display.flip()
        pygame.event.pump()

    def player_at(self, records: NDArray[np.void]) -> tuple[float, float]:
        """Where the player's gun is seen, column and row in pixels.

        Args:
            records: (1,) record of dtype `engine.arena.ARENA`.
        """
        arena = records[0]
        player, camera = arena["player"], self._cameras[int(arena["stage"])]
        return camera.project(float(player["x"]), float(player["z"]), SHOT_HEIGHT)

    def stage_at(self, at: tuple[int, int]) -> int:
        """The stage, from 1, whose card in the menu lies there; 0: none."""
        for number, place in enumerate(panels.card_places(len(self._cards), self.size), start=1):
            if place.collidepoint(at):
                return number
        return 0

    def show(self, session: Session, human: HumanAgent, share: float) -> None:
        """Shows the session as it stands.

        Args:
            session: What is played; it is only read.
            human: Who plays.
            share: How much of the next step's time has passed, 0 to 1.
        """
        self.draw(session, human, share)
        pygame.mouse.set_visible(session.mode is not Mode.PLAYING or human.points_at is None)
        pygame.display.flip()

    def draw(self, session: Session, human: HumanAgent, share: float) -> None:
        """Draws what `show` shows."""
        self._draw_arena(session, share)
        self.surface.fill(words.GLASS, self._strip)
        _PAINTERS[session.mode](self, session, human)

    def close(self) -> None:
        """Closes the window."""
        pygame.display.quit()

    def _draw_arena(self, session: Session, share: float) -> None:
        game, before = session.game, session.before
        if session.mode is Mode.MENU or game is None or before is None:
            self.surface.blit(self._cards[session.chosen - 1].picture, (0, 0))
            return
        over = session.mode is Mode.OVER
        shown = between(before, game.arenas.records, 1.0 if over else share)
        frame = self._renderer.compose(shown, self._frame)[0]
        if not over:  # the end's panel says what the HUD's banner would
            frame = self._layers.over(frame, game.arenas, action=session.action)
        self.surface.blit(_surface_of(frame), (0, 0))

    def _draw_menu(self, session: Session, human: HumanAgent) -> None:
        back = session.game is not None and not session.game.over
        panels.draw_menu(self.surface, self._cards, session.chosen, side=self.size, back=back)

    def _draw_play(self, session: Session, human: HumanAgent) -> None:
        panels.draw_help(
            self.surface,
            self._strip,
            _clock_of(session),
            keeps_firing=human.keeps_firing,
            by_gamepad=human.by_gamepad,
            records=session.terms.store is not None,
        )
        if human.points_at is not None:
            panels.draw_crosshair(self.surface, human.points_at, side=self.size, fires=human.fires)

    def _draw_pause(self, session: Session, human: HumanAgent) -> None:
        panels.draw_pause(
            self.surface, stages=len(self._cards), side=self.size, by_gamepad=human.by_gamepad
        )

    def _draw_end(self, session: Session, human: HumanAgent) -> None:
        if session.ending is not None:
            title, colour = _title_of(session.ending)
            panels.draw_end(
                self.surface,
                title,
                session.ending.reason,
                _figures_of(session.ending),
                session.note,
                colour=colour,
                stages=len(self._cards),
                side=self.size,
                by_gamepad=human.by_gamepad,
            )


_PAINTERS: dict[Mode, Callable[[Screen, Session, HumanAgent], None]] = {
    Mode.MENU: Screen._draw_menu,
    Mode.PLAYING: Screen._draw_play,
    Mode.PAUSED: Screen._draw_pause,
    Mode.OVER: Screen._draw_end,
}


def _checked(size: int) -> int:
    if not SMALLEST <= size <= LARGEST:
        raise ValueError(f"size must be {SMALLEST} to {LARGEST} pixels, got {size}.")
    return size


def _fitting() -> int:
    """The usual size, or what the smallest desktop has room for."""
    room = min(min(width, tall - _AROUND) for width, tall in pygame.display.get_desktop_sizes())
    return max(SMALLEST, min(USUAL, room * _STRIP // (_STRIP + 1)))


def _surface_of(frame: NDArray[np.uint8]) -> pygame.Surface:
    """A surface of its own with a frame's pixels."""
    return pygame.image.frombytes(frame.tobytes(), (frame.shape[1], frame.shape[0]), "RGB")


def _clock_of(session: Session) -> str:
    ticks = session.steps_left * session.terms.settings.frame_skip
    seconds = -(-ticks // TICKS_PER_SECOND)
    return f"{seconds // 60}:{seconds % 60:02d}"


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
