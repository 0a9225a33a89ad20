"""`Session`: what a person plays, one game after another, and how each comes to be kept."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arena_breaker_agents.inputs import InputRequest, Wish
from arena_breaker_gym.engine.arena import TICKS_PER_SECOND
from arena_breaker_gym.play.clip import Clip
from arena_breaker_gym.play.scores import Score, Scores, board_name, board_of, score_of
from arena_breaker_gym.rollout.batch import Game
from arena_breaker_gym.rollout.episode import Episode, Plan
from arena_breaker_gym.rollout.store import EpisodeStore, claimed_number
from arena_breaker_gym.settings import Settings
from arena_breaker_gym.stages.loader import load_campaign

LEFT = "left by the player"
BREATH_S = 0.8  # after an end, in which a dash or a pause that comes too late does nothing

# No person plays for ten hours: a game that long has no limit, and is kept like any other.
ENDLESS = 10 * 60 * 60 * TICKS_PER_SECOND // 2


class Mode(Enum):
    """What is on the screen."""

    MENU = auto()
    READY = auto()
    """The countdown before a game's first step."""
    PLAYING = auto()
    PAUSED = auto()
    OVER = auto()


@dataclass(frozen=True, kw_only=True)
class PlayConfig:
    """What is played.

    Attributes:
        settings: The games' settings; `start_stage` is the one that the menu offers first.
        seed: Seed of the first game; each next has one more.
        store: Where episodes are kept; None: nowhere.
        most: How many of the latest episodes stay in the store, which is then a spare one: what
            it cannot keep is no error. None: all.
        agent: The name under which they are kept.
        max_steps: Steps after which a game is cut off.
        countdown_s: Seconds before a game's first step, in which it stands still.
        scores: The lists of best games; None: there are none.
    """

    settings: Settings
    seed: int
    store: EpisodeStore | None = None
    most: int | None = None
    agent: str = "human"
    max_steps: int = ENDLESS
    countdown_s: float = 0.0
    scores: Scores | None = None

    @property
    def records(self) -> bool:
        """Whether all that is played is kept."""
        return self.store is not None and self.most is None

    @property
    def limited(self) -> bool:
        """Whether games are cut off after a number of steps that a person may reach."""
        return self.max_steps < ENDLESS


class Session:
    """A person's games; the code that shows them reads the attributes.

    Attributes:
        terms: What is played.
        models: The stages that there are.
        mode: What is on the screen.
        game: The game under way, or the last one; None before the first.
        before: (1,) the game's record as it was one step ago.
        action: (5,) the last action played.
        count: Seconds left of the countdown, rounded up; 0: there is none.
        chosen: The stage that the menu points at, from 1.
        ending: The last game as it is kept, once it is over.
        note: Where it is kept, or why it is not; empty if nothing is to be kept.
        kept_as: Its file; None: it has none.
        place: Its place among the best games, from 1; None: it has none.
        clip: The film that was asked for last, if one was.
        kept: How many episodes have been kept.
        running: False once the person has left.
    """

    def __init__(
        self,
        terms: PlayConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        film: Callable[[Path], Clip] = Clip,
        today: Callable[[], date] = date.today,
    ) -> None:
        """Opens the menu.

        Args:
            terms: What is played.
            clock: Seconds that only grow.
            film: Begins to film an episode's file.
            today: The day, for the list of best games.

        Raises:
            ValueError: If the settings cannot be met.
            OSError: If the folder for episodes cannot be made.
        """
        self.terms = terms
        campaign = load_campaign(terms.settings.stages)
        self.models = campaign.models
        self.mode = Mode.MENU
        self.game: Game | None = None
        self.before: NDArray[np.void] | None = None
        self.action = np.zeros(5, dtype=np.float32)
        self.count = 0
        self.chosen = terms.settings.start_stage
        self.ending: Episode | None = None
        self.note = ""
        self.kept_as: Path | None = None
        self.place: int | None = None
        self.clip: Clip | None = None
        self.kept = 0
        self.running = True
        self._digest = campaign.digest
        self._clock = clock
        self._film = film
        self._today = today
        self._ended_at = 0.0
        self._ready_since: float | None = None
        self._begun = 0
        self._unkept: list[Episode] = []
        if terms.store is not None:
            terms.store.folder.mkdir(parents=True, exist_ok=True)

    @property
    def steps_left(self) -> int:
        """Steps until the game is cut off."""
        return self.terms.max_steps - (self.game.steps if self.game is not None else 0)

    def begin(self, stage: int) -> None:
        """Begins a game; one under way is left.

        Args:
            stage: Stage to begin on, from 1.

        Raises:
            ValueError: If there is no such stage.
        """
        plan = Plan(
            agent=self.terms.agent,
            settings=self.terms.settings,
            seed=self.terms.seed + self._begun,
            stages=(stage,),
            max_steps=self.terms.max_steps,
        )
        plan.checked_digest()
        self.leave()
        self.game = Game(plan)
        self.before = self.game.arenas.records.copy()
        self.action[:] = 0.0
        self.ending, self.note, self.kept_as, self.place = None, "", None, None
        self.chosen = stage
        self._begun += 1
        self._go_on()

    def step(self, action: NDArray[np.float32]) -> None:
        """Plays one step of the game under way; a game that ends with it is kept at once.

        Args:
            action: (5,) move_x, move_z, aim_x, aim_z, dash.
        """
        game = self.game
        if game is None or self.mode is not Mode.PLAYING:
            return
        self.before = game.arenas.records.copy()
        self.action[:] = action
        game.step(action)
        if game.over:
            self.mode = Mode.OVER
            self._ended_at = self._clock()
            self._end(game)

    def best(self, stage: int) -> Sequence[Score]:
        """The best games that began on a stage, best first."""
        if self.terms.scores is None:
            return ()
        fix = self.terms.settings.point_blank_fix
        return self.terms.scores.best(board_name(self._digest, stage, fix=fix))

    def count_down(self) -> None:
        """Lets time pass in the countdown, at whose end play begins; called once a frame."""
        if self.mode is not Mode.READY:
            self.count = 0
            return
        now = self._clock()
        self._ready_since = now if self._ready_since is None else self._ready_since
        self.count = max(0, math.ceil(self.terms.countdown_s - (now - self._ready_since)))
        if self.count == 0:
            self.mode = Mode.PLAYING

    def film(self) -> None:
        """Begins to film the game that is over, unless it is filmed already."""
        filmed = self.clip is not None and (
            self.clip.under_way or (self.clip.episode == self.kept_as and self.clip.done)
        )
        if self.mode is not Mode.OVER or self.kept_as is None or filmed:
            return
        try:
            self.clip = self._film(self.kept_as)
        except OSError as error:
            self.note = f"No clip: {error.strerror or error}"

    def obey(self, request: InputRequest) -> None:
        """Does what the person asks, where it makes sense; else nothing."""
        deed = _DEEDS.get(request.wish)
        if deed is not None:
            deed(self)
        elif request.wish is Wish.STAGE and not self._at_play():
            self._begin_chosen(request.stage)

    def leave(self) -> None:
        """Ends the game under way, if there is one: it is kept, marked as left."""
        game, self.game, self.before = self.game, None, None
        if game is not None and self.ending is None and game.steps > 0:
            self._end(game)

    def close(self) -> None:
        """Ends everything.

        Raises:
            OSError: If an episode that was to be kept could not be.
        """
        self.running = False
        self.leave()
        try:
            self._write()
        except OSError:
            if self.terms.records:
                raise

    def _begin_chosen(self, stage: int) -> None:
        if 1 <= stage <= len(self.models):
            self.begin(stage)

    def _at_play(self) -> bool:
        return self.mode in (Mode.READY, Mode.PLAYING)

    def _go_on(self) -> None:
        """Plays, after a countdown if the game has not begun yet."""
        unplayed = self.game is not None and self.game.steps == 0
        self.mode = Mode.READY if unplayed and self.terms.countdown_s > 0.0 else Mode.PLAYING
        self._ready_since = None
        self.count = math.ceil(self.terms.countdown_s) if self.mode is Mode.READY else 0

    def _pause(self) -> None:
        if self._at_play():
            self.mode = Mode.PAUSED
        elif self._under_way():
            self._go_on()
        elif self._end_is_seen():
            self.mode = Mode.MENU

    def _rest(self) -> None:
        if self._at_play():
            self.mode = Mode.PAUSED

    def _restart(self) -> None:
        if self.game is not None and self.mode is not Mode.MENU:
            self.begin(self.game.plan.stage_of(0))

    def _again(self) -> None:
        if not self._at_play():
            self._restart()

    def _open_menu(self) -> None:
        if self.mode is not Mode.MENU:
            self.mode = Mode.MENU
        elif self._under_way():
            self.mode = Mode.PAUSED

    def _choose(self, by: int) -> None:
        if self.mode is Mode.MENU:
            self.chosen = (self.chosen - 1 + by) % len(self.models) + 1

    def _confirm(self) -> None:
        if self.mode is Mode.MENU:
            self.begin(self.chosen)
        elif self.mode is Mode.PAUSED:
            self._go_on()
        elif self.mode is Mode.READY:
            self.mode = Mode.PLAYING
        elif self._end_is_seen():
            self._restart()

    def _end_is_seen(self) -> bool:
        """Whether the end has stood there long enough for a key to be meant for it."""
        return self.mode is Mode.OVER and self._clock() - self._ended_at >= BREATH_S

    def _quit(self) -> None:
        if not self._at_play():
            self.running = False

    def _stop(self) -> None:
        self.running = False

    def _under_way(self) -> bool:
        return self.game is not None and not self.game.over

    def _end(self, game: Game) -> None:
        self.ending = game.result(LEFT)
        if game.over and self.terms.scores is not None:
            score = score_of(self.ending, day=self._today().isoformat())
            self.place = self.terms.scores.add(board_of(self.ending), score)
            self.note = self._scores_trouble()
        if self.terms.store is None:
            return
        self._unkept.append(self.ending)
        try:
            self._write()
        except OSError as error:
            self.note = f"Not kept yet: {error.strerror or error}"

    def _scores_trouble(self) -> str:
        return "" if self.terms.scores is None else self.terms.scores.trouble

    def _write(self) -> None:
        """Writes what is still to be kept, the oldest first."""
        store = self.terms.store
        while store is not None and self._unkept:
            with claimed_number(store) as number:
                path = store.save(number, self._unkept[0])
            if self._unkept.pop(0) is self.ending:
                self.kept_as = path
            self.kept += 1
            if self.terms.records and not self._scores_trouble():
                self.note = f"Kept as {path.name}"
            self._thin_out(store)

    def _thin_out(self, store: EpisodeStore) -> None:
        """Drops all but the latest episodes, where only those stay."""
        if self.terms.most is not None:
            for number in store.indices()[: -self.terms.most]:
                store.path_of(number).unlink(missing_ok=True)


_DEEDS: dict[Wish, Callable[[Session], None]] = {
    Wish.PAUSE: Session._pause,
    Wish.RESTART: Session._restart,
    Wish.AGAIN: Session._again,
    Wish.MENU: Session._open_menu,
    Wish.BACK: lambda session: session._choose(-1),
    Wish.NEXT: lambda session: session._choose(1),
    Wish.CONFIRM: Session._confirm,
    Wish.QUIT: Session._quit,
    Wish.CLOSE: Session._stop,
    Wish.AWAY: Session._rest,
}
