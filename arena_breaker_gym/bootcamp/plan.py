"""`BootcampPlan`: what is compared with what, and how much of it; checked before any work."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from arena_breaker_gym.settings import MAX_EPISODE_STEPS
from nitrogen_adapter.data.dataset import ChunkSettings
from nitrogen_adapter.presets import PRESETS
from nitrogen_adapter.training.config import TrainingConfig

ZERO_SHOT, POST_TRAINED, TUTOR = "zero-shot", "post-trained", "tutor"


@dataclass(frozen=True, kw_only=True)
class BootcampPlan:
    """The plan of one bootcamp.

    Attributes:
        tutor: Name of the agent that teaches.
        student: Who learns: a preset, a checkpoint file, or a server that is only measured.
        demonstrations: Episodes that the tutor records; the article's 17, over all stages.
        demonstration_steps: Steps after which a demonstration is cut off.
        evaluations: Episodes for each row of the table.
        tutor_evaluations: Episodes for each of the tutor's rows, who may cost money; None: as many.
        realtime_evaluations: Episodes for the row in which the game does not wait for the
            post-trained student; 0: no such row.
        evaluation_steps: Steps after which an evaluation episode is cut off.
        seed: Of the student's first weights, of training, and of the first demonstration.
        evaluation_seed: Of the first evaluation episode: no seed that the tutor showed.
        execute: How many of a chunk's 18 actions the student plays before it looks again.
        chunks: Which moments become examples.
        posttrain: How the student is trained.
    """

    tutor: str = "scripted"
    student: str = "student"
    demonstrations: int = 17
    demonstration_steps: int = 1800
    evaluations: int = 50
    tutor_evaluations: int | None = None
    realtime_evaluations: int = 30
    evaluation_steps: int = MAX_EPISODE_STEPS
    seed: int = 0
    evaluation_seed: int = 1000
    execute: int = 9
    chunks: ChunkSettings = field(default_factory=lambda: ChunkSettings(stride=3))
    posttrain: TrainingConfig = field(
        default_factory=lambda: TrainingConfig.student(max_seconds=240.0)
    )

    @classmethod
    def for_student(
        cls, student: str, *, seed: int, max_seconds: float | None, **changes: Any
    ) -> Self:
        """The plan for a student: a preset learns its own way, a checkpoint the published one.

        Args:
            student: As in this class.
            seed: As in this class.
            max_seconds: Most seconds that the student may learn; None: four minutes for a preset,
                and for a checkpoint as long as the epochs take.
            changes: Other entries of this class.
        """
        if student not in PRESETS:
            posttrain = TrainingConfig(max_seconds=max_seconds, seed=seed)
        else:
            posttrain = replace(cls().posttrain, seed=seed)
            if max_seconds is not None:
                posttrain = replace(posttrain, max_seconds=max_seconds)
        return cls(student=student, seed=seed, posttrain=posttrain, **changes)

    def evaluations_of(self, name: str) -> int:
        """How many episodes each of an agent's rows has, where the game waits."""
        own = self.tutor_evaluations if name == TUTOR else None
        return self.evaluations if own is None else own

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as they stand in results.json."""
        return asdict(self)
