"""`Bootcamp`: a tutor shows, a student learns, both are measured, all of it resumable.

Demonstrations → data set → post-training → evaluation with the point-blank bug and with its
fix, on several stages → the article's table, a side-by-side video and a page that shows it all.
Every part leaves what it made in the output folder; a run that was interrupted goes on from there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from arena_breaker_agents.registry import limited, make_agent
from arena_breaker_agents.tutor.bill import Bill
from arena_breaker_agents.tutor.transcript import FILE_NAME, Transcript
from arena_breaker_gym._runtime.files import claimed
from arena_breaker_gym._runtime.pools import ProcessTask, ReportShare, work_side_by_side
from arena_breaker_gym._runtime.run_folder import Clock, claim_folder, write_json
from arena_breaker_gym.bootcamp.plan import (
    DAGGER,
    FINE_TUNED,
    FROZEN,
    GAIN,
    POST_TRAINED,
    TUTOR,
    ZERO_SHOT,
    BootcampPlan,
)
from arena_breaker_gym.bootcamp.student import (
    Student,
    homework,
    practised_states,
    rounds_of_dagger,
    shown_states,
    sight_of,
)
from arena_breaker_gym.distillation.collector import LabelledStates, Looks, StateExamples
from arena_breaker_gym.distillation.fine_tuning import FineTuning, FineTuningConfig
from arena_breaker_gym.distillation.pretraining import Pretraining, quiet_student
from arena_breaker_gym.rendering import skins
from arena_breaker_gym.rollout import Agent, Episode, EpisodeStore, rollout
from arena_breaker_gym.rollout.backends import Backend
from arena_breaker_gym.rollout.backends.local import LocalBackend
from arena_breaker_gym.rollout.benchmark import BenchmarkConfig, RowTask, store_of
from arena_breaker_gym.rollout.episode import MEASURED
from arena_breaker_gym.rollout.metrics import Row, paired_gain
from arena_breaker_gym.rollout.replay import Layers
from arena_breaker_gym.rollout.results import Results
from arena_breaker_gym.rollout.video import export_side_by_side
from arena_breaker_gym.settings import Settings
from nitrogen_adapter import checkpoint
from nitrogen_adapter.data.examples import ArrayExamples, Examples
from nitrogen_adapter.data.features import cache_features
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.training.config import RENAMED, TrainingConfig
from nitrogen_adapter.training.run import TrainingRun, finished
from nitrogen_adapter.training.trainer import Trainer

SAVE_EVERY = 15.0  # s between two saves of a training under way
VIDEO_SIZE = 384  # pixels of each half
Advance = Callable[[str, float], None]

# Where each part begins and ends on the progress bar: about its share of the time on two cores.
_PARTS = {
    "demonstrations": (0.0, 0.02),
    "posttrain": (0.02, 0.4),
    "evaluation": (0.4, 0.95),
    "video": (0.95, 1.0),
}
_DIGITS = 9  # of a share: it must not fall by what floats round away
_DRAWING = 0.05  # of "posttrain": the drawing of frames
_PRACTISED, _LOOKED = 0.12, 0.22  # of learning to see: when either is done
_TOGETHER = 256  # moments that are looked at at once

_SIDE_BY_SIDE = frozenset({"expert", "scripted", "planner"})
"""Tutors that another process can play as well: they cost nothing and reach for nothing."""

_MANY = 20
"""Episodes of a row for which it pays to start another process, which takes seconds."""

_AHEAD = 0.98  # of the evaluation: what is played side by side; the rest is the table


def refuse_unknown_names(plan: BootcampPlan) -> None:
    """Refuses a plan whose student, tutor or skin there is not.

    Raises:
        ValueError: If so.
    """
    Student(plan.student, Path(), seed=plan.seed)
    for skin in (plan.skin, plan.familiar_skin):
        if skin is not None:
            skins.check(skin)
    make_agent(plan.tutor).close()


class Bootcamp:
    """One bootcamp in one folder."""

    def __init__(
        self,
        plan: BootcampPlan,
        out: Path,
        *,
        budget: float | None = None,
        backend: Backend | None = None,
        save_every: float = SAVE_EVERY,
    ) -> None:
        """Prepares a bootcamp; nothing is done yet but that the folder notes the plan.

        Args:
            plan: What is compared with what.
            out: Folder for all that is made.
            budget: Dollars that a tutor who costs money may cost in all; None: any.
            backend: Where the game that waits is played; None: here, as the game that does not.
            save_every: Seconds between two saves of a training under way.

        Raises:
            ValueError: If the folder holds a bootcamp with another plan, or there is no such
                student, tutor or skin; nothing is written then.
        """
        self.plan = plan
        self.out = out
        self.budget = budget
        self.backend = backend
        self.save_every = save_every
        refuse_unknown_names(plan)
        self.student = Student(plan.student, out / "training", seed=plan.seed)
        claim_folder(
            out / "plan.json",
            plan.to_dict(),
            what="a bootcamp",
            renamed=RENAMED,
            usual={"hud": False},
        )
        self.clock = Clock(out / "timings.json")

    def run(self, advance: Advance) -> Results:
        """Does what is left to do and writes `results.json` and `side_by_side.mp4`.

        Args:
            advance: Called with what is going on and the share done of all, in [0, 1].

        Returns:
            The rows of the table with settings and timings.

        Raises:
            ValueError: If another run is at work in the folder, or it is deleted meanwhile.
        """
        with claimed(self.out):
            return self._run(advance)

    def _run(self, advance: Advance) -> Results:
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

    @property
    def films(self) -> dict[str, Path]:
        """The films that there are, by what they show."""
        films = {
            "Before and after, and the tutor": self.video,
            "The same weights and seed: point-blank shots pass through, and hit": self._fix_video,
        }
        return {caption: path for caption, path in films.items() if path.exists()}

    @property
    def _fix_video(self) -> Path:
        return self.out / "bug_and_fix.mp4"

    def training_folders(self) -> dict[str, Path]:
        """Where each training is kept, by the name of who came out of it."""
        return {name: self.student.training_folder(name) for name in self._trained_names()}

    def measured_episodes(self) -> Iterator[tuple[str, list[Episode]]]:
        """The episodes of every row of a game that waits, by a name of their own."""
        for entry in self._entries():
            if entry.terms.latency is not None:
                continue
            bug = "" if entry.terms.settings.point_blank_fix else ", bug"
            for stage in entry.terms.stages:
                store = store_of(entry.folder, entry.name, stage=stage)
                where = "" if stage == entry.terms.stages[0] else f", stage {stage}"
                episodes = [store.load(index) for index in range(entry.terms.episodes)]
                yield f"{entry.name}{bug}{where}", episodes

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
                    env=Settings(skin=plan.skin),
                    max_steps=plan.demonstration_steps,
                    recorder=EpisodeStore(folder),
                    backend=self.backend,
                    progress=lambda now: advance("The tutor plays", now.share),
                )
        finally:
            tutor.close()

    def train(self, demonstrations: list[Episode], advance: Advance) -> None:
        """Trains every student that the plan names; a training cut short goes on.

        A student on a server cannot be trained from here, and is not.
        """
        folder = self.student.training_folder
        if self.student.remote or all(finished(folder(name)) for name in self._trained_names()):
            return
        with self.clock.part("dataset"):
            examples = self._examples(demonstrations, self.student.fresh(), advance)
        advance = _between(advance, _DRAWING, 1.0)
        trainings = self.plan.trainings()
        count = len(trainings) + (self.plan.dagger > 0) + (self.plan.fine_tuning > 0)
        for place, (name, config) in enumerate(trainings.items()):
            piece = _piece(advance, place, count)
            if name == POST_TRAINED and self.plan.sees_first:
                self._learn_to_see(name, demonstrations, examples, piece)
            else:
                self._posttrain(name, self.student.fresh(), examples, config, piece)
        self._go_on_with_dagger(_piece(advance, len(trainings), count))
        self._fine_tune(_piece(advance, count - 1, count))

    def _learn_to_see(
        self,
        name: str,
        demonstrations: list[Episode],
        examples: ArrayExamples,
        advance: Advance,
    ) -> None:
        """The student learns from its practice and its tutor's moments, if it has not yet."""
        if finished(self.student.training_folder(name)):
            return
        model = self.student.fresh()
        with self.clock.part("practice"):
            practice = _between(advance, 0.0, _PRACTISED)
            states = self._moments(demonstrations, examples, model, practice)
        with self.clock.part("posttrain"):
            moments = self._seen_before(states, model, _between(advance, _PRACTISED, _LOOKED))
        learning = _between(advance, _LOOKED, 1.0)
        self._train(name, model, moments, self.plan.alignment, learning)

    def _go_on_with_dagger(self, advance: Advance) -> None:
        """The student plays in the new looks, and learns what its tutor would have done there."""
        folder = self.student.training_folder(DAGGER)
        if not self.plan.dagger or finished(folder):
            return
        tutor = make_agent(self.plan.tutor)
        try:
            with self.clock.part("dagger"):
                rounds = Pretraining(
                    folder,
                    rounds_of_dagger(self.plan, tutor),
                    start=self.student.trained(POST_TRAINED),
                    teacher=tutor,
                    device=self.student.device,
                    num_threads=torch.get_num_threads(),
                )
                rounds.run(lambda words, share: advance(f"{DAGGER}, {words}", share))
                rounds.report()
        finally:
            tutor.close()

    def _moments(
        self,
        demonstrations: list[Episode],
        examples: ArrayExamples,
        model: NitroGen,
        advance: Advance,
    ) -> LabelledStates:
        """What the student meets where it sees, and what its tutor showed."""
        plan = self.plan
        practised = practised_states(
            quiet_student(model),
            self._familiar,
            count=plan.practice,
            n_action_steps=plan.n_action_steps,
            seed=plan.seed,
            on_look=lambda done, total: advance("The student practises", done / total),
        )
        shown = shown_states(demonstrations, plan, model.config, examples.actions)
        return LabelledStates.joined([practised, shown])

    def _seen_before(
        self, states: LabelledStates, model: NitroGen, advance: Advance
    ) -> StateExamples:
        """Moments in the new looks, with what the student sees of them in those that it knows."""
        plan, familiar, count = self.plan, self._familiar, len(states.records)
        known = Looks(familiar, [familiar.skin])

        def frames() -> Iterator[NDArray[np.uint8]]:
            for first in range(0, count, _TOGETHER):
                advance("The student looks at what it knows", first / count)
                yield known.draw_all(states.records[first : first + _TOGETHER])

        return StateExamples(
            states,
            Looks(familiar, [plan.skin], hud=plan.hud),
            seed=plan.seed,
            sight=sight_of(model, frames(), plan.alignment),
            auxiliary=plan.alignment.auxiliary_weight > 0,
        )

    @property
    def _familiar(self) -> Settings:
        """The game in the looks that the student knows."""
        assert self.plan.familiar_skin is not None
        return Settings(skin=self.plan.familiar_skin, pixel_size=self.student.frame_size)

    def _fine_tune(self, advance: Advance) -> None:
        """Lets the last student go on by what the game rewards."""
        plan, folder = self.plan, self.student.training_folder(FINE_TUNED)
        if not plan.fine_tuning or finished(folder):
            return
        config = FineTuningConfig(
            updates=plan.fine_tuning, n_action_steps=plan.n_action_steps, seed=plan.seed
        )
        settings = Settings(skin=plan.skin, pixel_size=self.student.frame_size)
        with self.clock.part("fine-tuning"):
            FineTuning(self._last_taught(), folder, config, settings=settings).run(
                lambda words, share: advance(f"{FINE_TUNED}, {words}", share)
            )

    def _posttrain(
        self,
        name: str,
        model: NitroGen,
        examples: ArrayExamples,
        config: TrainingConfig,
        advance: Advance,
    ) -> None:
        """One student learns from homework, to the end."""
        if finished(self.student.training_folder(name)):
            return
        if examples.teacher is None:  # a tutor that cannot say more than what it does
            config = replace(config, teacher_weight=0.0)
        if examples.sight is None:
            config = replace(config, alignment_weight=0.0)
        with self.clock.part("posttrain"):
            seen = cache_features(model, examples) if config.features_are_frozen else examples
        self._train(name, model, seen, config, advance)

    def _train(
        self,
        name: str,
        model: NitroGen,
        examples: Examples,
        config: TrainingConfig,
        advance: Advance,
    ) -> None:
        """One training to its end, in a folder of its own."""
        if finished(self.student.training_folder(name)):
            return
        with self.clock.part("posttrain"):
            trainer = Trainer(model, examples, config)
            run = TrainingRun(
                trainer, self.student.training_folder(name), save_every=self.save_every
            )
            run.run(None, lambda words, share: advance(f"{name} learns, {words}", share))

    def _last_taught(self) -> NitroGen:
        """The student that goes on by itself."""
        name = DAGGER if self.plan.dagger else POST_TRAINED
        return checkpoint.load(self.student.trained(name), device=self.student.device)

    def _trained_names(self) -> list[str]:
        rounds = [DAGGER] if self.plan.dagger else []
        tuned = [FINE_TUNED] if self.plan.fine_tuning else []
        return [] if self.student.remote else [*self.plan.trainings(), *rounds, *tuned]

    def measure(self, advance: Advance) -> list[Row]:
        """The table's rows: each agent with the bug and with its fix, on equal seeds.

        The game waits for them all, as the article's did for its tutor. The last row, if it is
        wanted, is of the trained student in a game that does not.
        """
        rows: list[Row] = []
        entries = [*self._entries()]
        with self.clock.part("evaluation"):
            advance = self._play_ahead(entries, advance)
            for place, entry in enumerate(entries):
                piece = _piece(advance, place, len(entries))
                backend = self.backend if entry.terms.latency is None else None
                report = partial(piece, f"{entry.name} is measured")
                found = entry.rows(report, backend=backend)
                rows += [{**row, **self._passes(entry.name)} for row in found]
        return [{**row, **self._gain(row)} for row in rows]

    def _play_ahead(self, entries: list[RowTask], advance: Advance) -> Advance:
        """Rows are played by as many processes as there are threads.

        Returns:
            What reports the rest.
        """
        able = [task for one in entries if self._plays_anywhere(one) for task in one.by_stage()]
        tasks = [task for task in able if not task.done()]
        if not tasks:
            return advance
        self._do_all(tasks, lambda share: advance("All are measured", _AHEAD * share))
        return _between(advance, _AHEAD, 1.0)

    def _plays_anywhere(self, entry: RowTask) -> bool:
        """Whether another process can play these rows, and that is faster than to play them here.

        A GPU is best asked by one; a server has a number of sessions; time is measured alone.
        """
        local = self.backend is None or isinstance(self.backend, LocalBackend)
        if not local or entry.terms.latency is not None:
            return False
        if entry.name == TUTOR:
            here = self.plan.tutor not in _SIDE_BY_SIDE
        else:
            here = self.student.remote or self.student.device != "cpu"
        return not here and entry.terms.episodes >= _MANY

    def _gain(self, row: Row) -> dict[str, object]:
        """What the fix brings a student, on equal seeds and with the same weights."""
        plan, name = self.plan, row["agent"]
        waits = row["latency"] is None and row["stage"] == plan.evaluation_stages[0]
        if name not in self._trained_names() or not waits or not row["point_blank_fix"]:
            return {}
        bug, fix = (
            [self._store(name, fix=one).load(index) for index in range(plan.evaluations)]
            for one in (False, True)
        )
        return {GAIN: paired_gain(bug, fix)}

    def _passes(self, name: str) -> dict[str, object]:
        """How often a student went over its examples, of how often it was to."""
        if name not in self._trained_names():
            return {}
        report = finished(self.student.training_folder(name)) or {}
        return {"passes": report["passes"]} if "passes" in report else {}

    def film(self, advance: Advance) -> None:
        """Two films: the student before and after training and the tutor; bug and fix."""
        if not self.plan.films:
            return
        wanted = {self._fix_video: self._bug_and_fix, self.video: self._before_and_after}
        chosen = {path: show() for path, show in wanted.items() if not path.exists()}
        tasks = [partial(_make_film, shown, path) for path, shown in chosen.items() if shown]
        if tasks:
            with self.clock.part("video"):
                self._do_all(tasks, lambda share: advance("The videos are made", share))

    def _before_and_after(self) -> dict[str, Episode]:
        """Everyone's median episode, by the words above it."""
        medians = {name: self._median(name) for name in self._names() if name != FROZEN}
        return {
            f"{name}, kills: {episode.metrics['kills']:.0f}": episode
            for name, episode in medians.items()
            if episode is not None
        }

    def _bug_and_fix(self) -> dict[str, Episode]:
        """The trained student's median episode beside the one of the same seed with the bug."""
        fixed = self._median(POST_TRAINED) if POST_TRAINED in self._names() else None
        if fixed is None:
            return {}
        bug = self._store(POST_TRAINED, fix=False).load(fixed.seed - self.plan.evaluation_seed)
        return {"shots pass through (bug)": bug, "shots hit (fix)": fixed}

    @staticmethod
    def _do_all(tasks: Sequence[ProcessTask], report: ReportShare) -> None:
        """Does tasks, by as many processes as there are threads."""
        threads = torch.get_num_threads()
        processes = min(threads, len(tasks))
        if processes < 2:  # none, one, or one thread for all
            for place, task in enumerate(tasks):
                task(_piece_of(report, place, len(tasks)))
        else:
            share = threads // processes
            work_side_by_side(tasks, processes=processes, threads=share, progress=report)

    def _store(self, name: str, *, fix: bool) -> EpisodeStore:
        stage = self.plan.evaluation_stages[0]
        return store_of(self._evaluation_folder(fix=fix), name, stage=stage)

    def _examples(
        self, demonstrations: list[Episode], model: NitroGen, advance: Advance
    ) -> ArrayExamples:
        """Frames and chunks as the student's checkpoint wants them."""
        examples, statistics = homework(
            demonstrations,
            self.plan,
            model,
            on_episode=lambda done, total: advance("Frames are drawn", _DRAWING * done / total),
        )
        write_json(self.out / "dataset.json", asdict(statistics))
        return examples

    def _entries(self) -> Iterator[RowTask]:
        """Who is measured, how each is made, on what terms, and where that is kept."""
        for name in self._names():
            for fix in (False, True):
                folder = self._evaluation_folder(fix=fix)
                yield RowTask(name, self._maker(name, folder), self._terms(name, fix=fix), folder)
        if self.plan.realtime_evaluations > 0:
            folder = self.out / "evaluation" / "realtime"
            name = ZERO_SHOT if self.student.remote else POST_TRAINED
            yield RowTask(name, self._maker(name, folder), self._realtime_terms(name), folder)

    def _names(self) -> list[str]:
        """Whose rows there are, in their order."""
        return [ZERO_SHOT, *self._trained_names(), TUTOR]

    def _maker(self, name: str, folder: Path) -> Callable[[], Agent]:
        """How a row's agent is made."""
        if name == TUTOR and self.plan.tutor in _SIDE_BY_SIDE:
            return partial(make_agent, self.plan.tutor)
        if name == TUTOR:
            return partial(self._tutor, store_of(folder, TUTOR, stage=1).folder)
        return partial(
            self.student.agent,
            name,
            trained=name != ZERO_SHOT,
            n_action_steps=self.plan.n_action_steps,
            hud=self.plan.hud,
        )

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

    def _terms(self, name: str, *, fix: bool) -> BenchmarkConfig:
        plan = self.plan
        most = self.student.most_arenas()
        return BenchmarkConfig(
            episodes=plan.evaluations_of(name),
            seed=plan.evaluation_seed,
            settings=Settings(
                point_blank_fix=fix, pixel_size=self.student.frame_size, skin=plan.skin
            ),
            stages=plan.evaluation_stages if fix else plan.evaluation_stages[:1],
            max_steps=plan.evaluation_steps,
            num_envs=plan.evaluations if most is None else min(most, plan.evaluations),
        )

    def _realtime_terms(self, name: str) -> BenchmarkConfig:
        """Those with the fix, but one arena after another, each of which does not wait."""
        waiting = self._terms(name, fix=True)
        return replace(
            waiting,
            episodes=self.plan.realtime_evaluations,
            stages=waiting.stages[:1],
            num_envs=None,
            latency=MEASURED,
        )

    def _evaluation_folder(self, *, fix: bool) -> Path:
        return self.out / "evaluation" / ("fix" if fix else "bug")

    def _median(self, name: str) -> Episode | None:
        """The agent's episode of median kills with the fix; None if it failed in all."""
        store = self._store(name, fix=True)
        episodes = [store.load(index) for index in range(self.plan.evaluations_of(name))]
        played = sorted((one for one in episodes if not one.failed), key=_kills)
        return played[len(played) // 2] if played else None


def _make_film(shown: dict[str, Episode], path: Path, report: ReportShare) -> None:
    """Shows episodes side by side, each under its words."""
    export_side_by_side(
        list(shown.values()),
        path,
        labels=list(shown),
        size=VIDEO_SIZE,
        layers=Layers(hud=True, gamepad=True, caption=True),
        progress=report,
    )


def _between(advance: Advance, begin: float, end: float) -> Advance:
    """Reports a part's own share as its piece of the whole."""
    return lambda words, share: advance(words, round(begin + (end - begin) * share, _DIGITS))


def _piece_of(report: ReportShare, place: int, count: int) -> ReportShare:
    """Reports one of `count` equal tasks as its share of them all."""
    return lambda share: report(round((place + share) / count, _DIGITS))


def _piece(advance: Advance, place: int, count: int) -> Advance:
    """Reports one of `count` equal pieces as its share of them all."""
    return _between(advance, place / count, (place + 1) / count)


def _part(advance: Advance, name: str) -> Advance:
    """Reports a part of the whole bootcamp."""
    return _between(advance, *_PARTS[name])


def _kills(episode: Episode) -> tuple[float, int]:
    return episode.metrics["kills"], episode.seed
