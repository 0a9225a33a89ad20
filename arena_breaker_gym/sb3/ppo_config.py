"""`PPOConfig`: how a PPO is trained, as plain values that are kept beside what came of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from arena_breaker_gym.wrappers.action_noise import ActionNoise
from arena_breaker_gym.wrappers.preprocessing import PreprocessingConfig

# Fields that stored files know under other names.
_STORED = {"preprocessing": "kit", "features_extractor": "eyes"}


@dataclass(frozen=True, kw_only=True)
class PPOConfig:
    """Hyper-parameters; a step is a decision of one arena.

    Attributes:
        preprocessing: Through what the policy sees and plays.
        settings: Of the game, as keywords: what it shows, ticks a decision, weights of the reward.
        action_noise: How actions slip on their way to the game while it learns; None: not at all.
        max_episode_steps: Decisions after which an episode is cut off.
        policy: "MlpPolicy", "CnnPolicy" or "MultiInputPolicy".
        net_arch: Units of the hidden layers, the same for policy and value.
        activation: What lies between them; a name of `policy_file.ACTIVATIONS`.
        features_extractor: What comes before them; a name of `policy_file.EXTRACTORS`, None for
            the usual one.
        frame_stack: How many frames the policy sees at once.
        num_envs: Arenas side by side.
        n_steps: Steps of each between two updates.
        batch_size: Of a gradient.
        n_epochs: How often an update goes over its steps.
        learning_rate: At the beginning; it falls linearly to a twentieth.
        entropy: Weight of the entropy at the beginning; it falls linearly to a tenth.
        gamma: Discount a decision.
        gae_lambda: Of the advantages.
        clip_range: Of the policy's change.
        steps: How many in all.
    """

    preprocessing: PreprocessingConfig
    settings: Mapping[str, Any] = field(default_factory=dict)
    action_noise: ActionNoise | None = None
    max_episode_steps: int
    policy: str = "MlpPolicy"
    net_arch: tuple[int, ...] = (256, 128)
    activation: str = "ReLU"
    features_extractor: str | None = None
    frame_stack: int = 1
    num_envs: int = 256
    n_steps: int = 32
    batch_size: int = 512
    n_epochs: int = 4
    learning_rate: float = 1e-3
    entropy: float = 0.01
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    steps: int

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` gave; a field that came later has its default.

        Raises:
            TypeError: If a field is unknown, or one that must be there is missing.
            ValueError: If its preprocessing is none.
        """
        noise = values.get("action_noise")
        parts = {
            "preprocessing": PreprocessingConfig.from_dict(values["kit"]),
            "features_extractor": values.get("eyes"),
            "action_noise": None if noise is None else ActionNoise.from_dict(noise),
            "net_arch": tuple(values["net_arch"]),
        }
        named = {name: one for name, one in values.items() if name not in _STORED.values()}
        return cls(**{**named, **parts})

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        values = {_STORED.get(name, name): value for name, value in asdict(self).items()}
        return {**values, "settings": dict(self.settings), "net_arch": list(self.net_arch)}
