"""`bootcamp`: a tutor shows, a student learns, both are measured, all of it resumable.

Demonstrations → data set → post-training → evaluation with the point-blank bug and with its
fix, and in real time → the article's table and a side-by-side video. Every part leaves what it
made in the output folder; a run that was interrupted goes on from there.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from agents.paid import limited
from agents.registry import make_agent
from agents.tutor.bill import Bill
from agents.tutor.transcript import FILE_NAME, Transcript
from arena_breaker_gym.bootcamp.clock import Clock
from arena_breaker_gym.bootcamp.plan import POST_TRAINED, TUTOR, ZERO_SHOT, BootcampPlan
from arena_breaker_gym.bootcamp.student import Student
from arena_breaker_gym.files import written_whole
from arena_breaker_gym.rollout import Agent, Episode, EpisodeStore, Progress, rollout
from arena_breaker_gym.rollout.benchmark import Terms, evaluate, store_of
from arena_breaker_gym.rollout.engines.engine import Engine
from arena_breaker_gym.rollout.latency import MEASURED
from arena_breaker_gym.rollout.layers import Layers
from arena_breaker_gym.rollout.metrics import Row
from arena_breaker_gym.rollout.results import Results
from arena_breaker_gym.rollout.video import export_side_by_side
from arena_breaker_gym.settings import Settings
from nitrogen_adapter import checkpoint
from nitrogen_adapter.config import NitroGenConfig
from nitrogen_adapter.data.dataset import build_examples
from nitrogen_adapter.data.examples import ArrayExamples
from nitrogen_adapter.data.features import cache_features
from nitrogen_adapter.gamepad import GamepadSettings
from nitrogen_adapter.training.trainer import Progress as TrainingProgress
from nitrogen_adapter.training.trainer import Trainer

SAVE_EVERY = 15.0  # s between two saves of a training under way
VIDEO_SIZE = 384  # pixels of each half
Advance = Callable[[str, float], None]

# Where each part begins and ends on the progress bar: about its share of the time on two cores.
_PARTS = {
    "demonstrations": (0.0, 0.05),
    "posttrain": (0.05, 0.65),
    "evaluation": (0.65, 0.95),
    "video": (0.95, 1.0),
}
_DRAWING = 0.05  # of "posttrain": the drawing of frames


class Bootcamp:
    """One bootcamp in one folder."""

    def __init__(
        self,
        plan: BootcampPlan,
        out: Path,
        *,
        budget: float | None = None,
        engine: Engine | None = None,
        save_every: float = SAVE_EVERY,
    ) -> None:
        """Prepares a bootcamp; nothing is done yet but that the folder notes the plan.

        Args:
            plan: What is compared with what.
            out: Folder for all that is made.
            budget: Dollars that a tutor who costs money may cost in all; None: any.
            engine: Where the game that waits is played; None: here, as the game that does not.
            save_every: Seconds between two saves of a training under way.

        Raises:
            ValueError: If the folder holds a bootcamp with another plan, or there is no such
                student.
        """
        self.plan = plan
        self.out = out
        self.budget = budget
        self.engine = engine
        self.save_every = save_every
        self.student = Student(plan.student, out / "checkpoints", seed=plan.seed)
        _claim(out / "plan.json", plan)
        self.clock = Clock(out / "timings.json")

    def run(self, advance: Advance) -> Results:
        """Does what is left to do and writes `results.json` and `side_by_side.mp4`.

        Args:
            advance: Called with what is going on and the share done of all, in [0, 1].

        Returns:
            The rows of the table with settings and timings.
        """
        demonstrations = self.demonstrate(_part(advance, "demonstrations"))
        self.train(demonstrations, _part(advance, "posttrain"))
        rows = self.measure(_part(advance, "evaluation"))
        self._results(rows).save(self.out)
        self.film(_part(advance, "video"))
        results = self._results(rows)
        results.save(self.out)
        return results

    def _results(self, rows: list[Row]) -> Results:
        return Results(rows, self.plan.to_dict(), self.clock.seconds)

    @property
    def video(self) -> Path:
        """Where the side-by-side video lies."""
        return self.out / "side_by_side.mp4"

    def demonstrate(self, advance: Advance) -> list[Episode]:
        """The tutor's episodes, stage 1, 2, 3 in turn; recorded ones are not played again."""
        plan, folder = self.plan, self.out / "demonstrations"
        tutor = self._tutor(folder)
        try:
            with self.clock.part("demonstrations"):
                return rollout(
                    tutor,
                    episodes=plan.demonstrations,
                    seed=plan.seed,
                    stage=(1, 2, 3),
                    max_steps=plan.demonstration_steps,
                    recorder=EpisodeStore(folder),
                    engine=self.engine,
                    progress=lambda now: advance("The tutor plays", now.share),
                )
        finally:
            tutor.close()

    def train(self, demonstrations: list[Episode], advance: Advance) -> None:
        """Writes the student before and after training; a training cut short goes on.

        A student on a server cannot be trained from here, and is not.
        """
        if self.student.remote:
            return
        self.student.enrol()
        if self.student.after.exists():
            return
        model = checkpoint.load(self.student.before, device=self.student.device)
        with self.clock.part("dataset"):
            examples = self._examples(demonstrations, model.config, advance)
        with self.clock.part("posttrain"):
            if self.plan.posttrain.sight_is_frozen:
                examples = cache_features(model, examples)
            self._fit(Trainer(model, examples, self.plan.posttrain), advance)
            checkpoint.save(self.student.after, model)
            self._unfinished.unlink(missing_ok=True)

    def measure(self, advance: Advance) -> list[Row]:
        """The table's rows: each agent with the bug and with its fix, on equal seeds.

        The game waits for them all, as the article's did for its tutor. The last row is of the
        trained student in a game that does not.
        """
        rows: list[Row] = []
        entries = self._entries()
        with self.clock.part("evaluation"):
            for place, (name, make, terms, out) in enumerate(entries):

                def show(
                    _: str, __: int, now: Progress, name: str = name, place: int = place
                ) -> None:
                    advance(f"{name} is measured", (place + now.share) / len(entries))

                engine = self.engine if terms.latency is None else None
                rows += evaluate(name, make, terms, out=out, engine=engine, watch=show)
        return rows

    def film(self, advance: Advance) -> None:
        """The side-by-side video: the student before and after training, and the tutor."""
        if self.video.exists():
            return
        medians = {name: self._median(name) for name in self._names()}
        chosen = {
            f"{name}, kills: {episode.metrics['kills']:.0f}": episode
            for name, episode in medians.items()
            if episode is not None
        }
        with self.clock.part("video"):
            export_side_by_side(
                list(chosen.values()),
                self.video,
                labels=list(chosen),
                size=VIDEO_SIZE,
                layers=Layers(hud=True, gamepad=True, caption=True),
                progress=lambda share: advance("The video is made", share),
            )

    def _examples(
        self, demonstrations: list[Episode], config: NitroGenConfig, advance: Advance
    ) -> ArrayExamples:
        """Frames and chunks as the student's checkpoint wants them."""
        chunks = replace(
            self.plan.chunks,
            action_shift=config.action_shift,
            frames=config.frame_per_sample,
            frame_spacing=config.frame_spacing,
        )
        examples, balance = build_examples(
            demonstrations,
            chunks,
            size=config.vision.image_size,
            buttons=GamepadSettings(old_layout=config.old_layout),
            on_episode=lambda done, total: advance("Frames are drawn", _DRAWING * done / total),
        )
        with written_whole(self.out / "dataset.json") as part:
            part.write_text(json.dumps(asdict(balance), indent=2) + "\n", encoding="utf-8")
        return examples

    @property
    def _unfinished(self) -> Path:
        return self.out / "checkpoints" / "training.pt"

    def _fit(self, trainer: Trainer, advance: Advance) -> None:
        """Trains to the end, saving now and then."""
        if self._unfinished.exists():
            trainer.resume(self._unfinished)
        saved = trainer.seconds

        def show(now: TrainingProgress) -> None:
            nonlocal saved
            words = f"The student learns, loss {now.loss:.3f}, {now.examples_per_second:.0f}/s"
            advance(words, _DRAWING + (1.0 - _DRAWING) * now.fraction)
            if now.seconds - saved > self.save_every and now.fraction < 1.0:
                saved = now.seconds
                trainer.save(self._unfinished)

        trainer.run(show)

    def _entries(self) -> list[tuple[str, Callable[[], Agent], Terms, Path]]:
        """Who is measured, how each is made, on what terms, and where that is kept."""
        entries = [
            (name, self._maker(name, folder), self._terms(name, fix=fix), folder)
            for name in self._names()
            for fix, folder in ((fix, self._evaluation_folder(fix=fix)) for fix in (False, True))
        ]
        if self.plan.realtime_evaluations > 0:
            folder = self.out / "evaluation" / "realtime"
            *_, student, _ = self._names()  # as it has learned, where it could
            make = self._maker(student, folder)
            entries.append((student, make, self._realtime_terms(student), folder))
        return entries

    def _names(self) -> list[str]:
        """Whose rows there are, in their order."""
        return [ZERO_SHOT, *([] if self.student.remote else [POST_TRAINED]), TUTOR]

    def _maker(self, name: str, folder: Path) -> Callable[[], Agent]:
        """How a row's agent is made."""
        if name == TUTOR:
            return partial(self._tutor, store_of(folder, TUTOR, stage=1).folder)
        trained = name == POST_TRAINED
        return partial(self.student.agent, name, trained=trained, execute=self.plan.execute)

    def _tutor(self, folder: Path) -> Agent:
        """The tutor for one folder of episodes, with what the others have left of the budget."""
        tutor = make_agent(self.plan.tutor)
        if self.budget is not None:
            elsewhere = [one for one in self._transcripts() if one.path != folder / FILE_NAME]
            spent = sum(Bill.of(one.lines).dollars or 0.0 for one in elsewhere)
            limited(tutor, max(self.budget - spent, 0.0), name=self.plan.tutor)
        return tutor

    @property
    def bill(self) -> Bill | None:
        """What the tutor has cost so far; None for one that writes no transcript."""
        bills = [Bill.of(one.lines) for one in self._transcripts()]
        return Bill.sum(bills) if bills else None

    def _transcripts(self) -> list[Transcript]:
        return [Transcript.find(path) for path in sorted(self.out.rglob(FILE_NAME))]

    def _terms(self, name: str, *, fix: bool) -> Terms:
        plan = self.plan
        most = self.student.most_arenas()
        return Terms(
            episodes=plan.evaluations_of(name),
            seed=plan.evaluation_seed,
            settings=Settings(point_blank_fix=fix, pixel_size=self.student.frame_size),
            max_steps=plan.evaluation_steps,
            num_envs=plan.evaluations if most is None else min(most, plan.evaluations),
        )

    def _realtime_terms(self, name: str) -> Terms:
        """Those with the fix, but one arena after another that waits for nobody."""
        episodes = self.plan.realtime_evaluations
        waiting = self._terms(name, fix=True)
        return replace(waiting, episodes=episodes, num_envs=None, latency=MEASURED)

    def _evaluation_folder(self, *, fix: bool) -> Path:
        return self.out / "evaluation" / ("fix" if fix else "bug")

    def _median(self, name: str) -> Episode | None:
        """The agent's episode of median kills with the fix; None if it failed in all."""
        store = store_of(self._evaluation_folder(fix=True), name, stage=1)
        episodes = [store.load(index) for index in range(self.plan.evaluations_of(name))]
        played = sorted((one for one in episodes if not one.failed), key=_kills)
        return played[len(played) // 2] if played else None


def _claim(file: Path, plan: BootcampPlan) -> None:
    """Notes whose folder this is, or refuses one that is another's."""
    text = json.dumps(plan.to_dict(), indent=2) + "\n"
    if not file.exists():
        with written_whole(file) as part:
            part.write_text(text, encoding="utf-8")
    elif file.read_text(encoding="utf-8") != text:
        raise ValueError(
            f"{file.parent} holds a bootcamp with another plan (see {file.name}): "
            "give this one a folder of its own with --out."
        )


def _part(advance: Advance, name: str) -> Advance:
    """Reports a part's own share as its piece of the whole."""
    begin, end = _PARTS[name]
    return lambda words, share: advance(words, begin + (end - begin) * share)


def _kills(episode: Episode) -> tuple[float, int]:
    return episode.metrics["kills"], episode.seed
