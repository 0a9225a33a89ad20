"""`BootcampPlan`: what is compared with what, and how much of it; checked before any work."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from arena_breaker_agents.nitrogen import REMOTE
from arena_breaker_gym._runtime.plain import check_kinds, plain_int
from arena_breaker_gym.settings import MAX_EPISODE_STEPS
from arena_breaker_gym.stages.loader import PACKAGED
from nitrogen_adapter import checkpoint
from nitrogen_adapter.data.dataset import ChunkSettings
from nitrogen_adapter.presets import PRESETS, SHIPPED, file_of
from nitrogen_adapter.splits import DEFAULT_SPLIT
from nitrogen_adapter.training.config import TrainingConfig

ZERO_SHOT, POST_TRAINED, TUTOR = "zero-shot", "post-trained", "tutor"
FROZEN = f"{POST_TRAINED}, encoder frozen"
DAGGER, FINE_TUNED = "DAgger", "PPO"

GAIN = "gained_by_fix"
"""The entry of a row that says how many kills more the fix brings on the same seeds."""

_LEAST = {  # that the plan's whole numbers may be
    "practice": 0, "demonstrations": 1, "demonstration_steps": 1, "dagger": 0,
    "dagger_states": 1, "fine_tuning": 0, "evaluations": 1, "realtime_evaluations": 0,
    "evaluation_steps": 1, "n_action_steps": 1, "seed": 0, "evaluation_seed": 0,
}  # fmt: skip


def _acting() -> TrainingConfig:
    """How a student learns to act, as the article's did: its vision encoder stays as it is."""
    return TrainingConfig.adapting(
        split=DEFAULT_SPLIT,
        learning_rate=5e-4,
        auxiliary_weight=0.0,
        teacher_weight=0.0,
        alignment_weight=0.0,
    )


def is_base(student: str) -> bool:
    """Whether a student has played this game before: the shipped base, or one of your own.

    Args:
        student: As in `BootcampPlan`; a checkpoint is a base if it is of the shipped one's kind, as
            `arena-breaker nitrogen pretrain` makes them.

    Raises:
        ValueError: If there is no such student, or its file is damaged.
    """
    if student in SHIPPED or student.startswith(REMOTE):
        return student in SHIPPED
    file = file_of(student)
    return file is not None and checkpoint.load(file).config.is_student


@dataclass(frozen=True, kw_only=True)
class BootcampPlan:
    """The plan of one bootcamp.

    Attributes:
        tutor: Name of the agent that teaches.
        student: Who learns: "base", a preset, a checkpoint file (see `is_base`), or a server that
            is only measured.
        skin: The looks that the game has, which the base has never seen.
        hud: Whether the student sees the HUD that people see over the game, in the new looks; the
            article hid it.
        familiar_skin: Looks that the student knows: moments are drawn in them as well, so that it
            learns to see in the new ones what it sees in these; None: it is told nothing of that
            kind.
        practice: Moments that it meets while it plays by itself in the familiar looks. From these
            and from those that its tutor shows it learns to see in the new ones, and acts as it
            did; 0: it learns to see and to act from its tutor's alone.
        demonstrations: Episodes that the tutor records; the article's 17, over all stages.
        demonstration_steps: Steps after which a demonstration is cut off.
        dagger: Rounds in which the trained student plays, the tutor says what it would have done,
            and the student learns from the last rounds' states.
        dagger_states: States that a round adds.
        fine_tuning: Rounds of PPO in which the last student goes on by itself, by the game's
            rewards.
        evaluations: Episodes for each row of the table.
        evaluation_stages: Stages that rows are of; with the point-blank bug only the first.
        tutor_evaluations: Episodes for each of the tutor's rows, who may cost money; None: as many.
        realtime_evaluations: Episodes for the row in which the game does not wait for the
            post-trained student; 0: no such row.
        evaluation_steps: Steps after which an evaluation episode is cut off.
        seed: Of the student's first weights, of training, and of the first demonstration.
        evaluation_seed: Of the first evaluation episode: no seed that the tutor showed.
        n_action_steps: How many of a chunk's 18 actions the student plays before it looks again.
        chunks: Which moments become examples.
        alignment: How it learns to see.
        posttrain: How it learns to act: the second student, or the first without practice.
        distillation: How it learns in rounds of DAgger; how many steps follows from the states.
        control: Whether a second student learns from the tutor's moments alone with its vision
            encoder as it was, as the article's did.
        films: Whether films are made of median episodes.
    """

    tutor: str = "expert"
    student: str = "base"
    skin: str = "default"
    hud: bool = False
    familiar_skin: str | None = "neon"
    practice: int = 19_200
    demonstrations: int = 17
    demonstration_steps: int = 1800
    dagger: int = 0
    dagger_states: int = 8192
    fine_tuning: int = 0
    evaluations: int = 100
    evaluation_stages: tuple[int, ...] = (1, 2)
    tutor_evaluations: int | None = None
    realtime_evaluations: int = 0
    evaluation_steps: int = MAX_EPISODE_STEPS
    seed: int = 0
    evaluation_seed: int = 1000
    n_action_steps: int = 3
    chunks: ChunkSettings = field(default_factory=lambda: ChunkSettings(stride=4))
    alignment: TrainingConfig = field(default_factory=TrainingConfig.aligning)
    posttrain: TrainingConfig = field(default_factory=_acting)
    distillation: TrainingConfig = field(default_factory=TrainingConfig.distilling)
    control: bool = True
    films: bool = True

    def __post_init__(self) -> None:
        """Refuses numbers that cannot be meant.

        Raises:
            ValueError: If so, naming the entry.
        """
        for name, least in _LEAST.items():
            plain_int(name, getattr(self, name), least=least)
        if self.tutor_evaluations is not None:
            plain_int("tutor_evaluations", self.tutor_evaluations)
        check_kinds(self)
        plain_int("n_action_steps", self.n_action_steps, most=self.chunks.horizon)
        for stage in self.evaluation_stages:
            plain_int("evaluation_stages", stage, most=len(PACKAGED))
        if self.hud and self.fine_tuning:
            raise ValueError(
                "hud is true and fine_tuning above 0: PPO knows no HUD; leave one out."
            )
        if not self.evaluation_stages:
            raise ValueError("evaluation_stages is empty; expected at least one stage.")

    @classmethod
    def for_student(
        cls, student: str, *, seed: int, max_seconds: float | None = None, **changes: Any
    ) -> Self:
        """The plan for a student, who learns in the way that suits it.

        A base acts as the expert does, and from that tutor learns to see alone; from others, or
        where no look is familiar, it learns to see and to act at once. A preset, which knows
        nothing yet, learns as a whole; any other checkpoint learns the published way.
        Looks are familiar to a base alone, and a base alone is compared with a second student,
        unless `changes` say so.

        Args:
            student: As in this class.
            seed: As in this class.
            max_seconds: Most seconds that each training of the student may take; None: as long as
                its epochs take.
            changes: Other entries of this class.

        Raises:
            ValueError: If there is no such student, or an entry cannot be meant.
        """
        # A file of a sweep may say what is no text; the plan refuses it.
        base = isinstance(student, str) and is_base(student)
        changes = {"familiar_skin": "neon" if base else None, **changes}
        if changes.get("tutor", cls.tutor) != cls.tutor:
            changes = {"practice": 0, **changes}
        if base:
            sees = changes["familiar_skin"] and changes.get("practice", cls.practice)
            posttrain = _acting() if sees else TrainingConfig.adapting()
        elif student in PRESETS:
            posttrain = TrainingConfig.student()
        else:
            posttrain = TrainingConfig()
        small = base or student in PRESETS
        changes = {
            "alignment": TrainingConfig.aligning(),
            "posttrain": posttrain,
            "distillation": TrainingConfig.distilling() if small else TrainingConfig(),
            "control": base,
            # One that does not know the game yet needs all the moments that there are.
            **({} if base else {"chunks": ChunkSettings(stride=2)}),
            **changes,
        }
        for training in ("alignment", "posttrain", "distillation"):
            changes[training] = replace(changes[training], seed=seed, max_seconds=max_seconds)
        return cls(student=student, seed=seed, **changes)

    @property
    def sees_first(self) -> bool:
        """Whether the student learns to see before it learns to act."""
        return self.practice > 0 and self.familiar_skin is not None

    def trainings(self) -> dict[str, TrainingConfig]:
        """How each trained student learns, by the name of its rows."""
        found = {POST_TRAINED: self.alignment if self.sees_first else self.posttrain}
        if self.control and (self.sees_first or not self.posttrain.tower_is_frozen):
            found[FROZEN] = replace(self.posttrain, split=DEFAULT_SPLIT, alignment_weight=0.0)
        return found

    def evaluations_of(self, name: str) -> int:
        """How many episodes each of an agent's rows has, where the game waits."""
        own = self.tutor_evaluations if name == TUTOR else None
        return self.evaluations if own is None else own

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as they stand in results.json."""
        return asdict(self)
