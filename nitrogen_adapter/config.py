"""What sizes a NitroGen has: typed configuration, read from and written to a checkpoint's dict.

The dict's names are those of the public checkpoint; entries this package does not use are kept as
they came, so that a checkpoint that was read and saved again loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

SIGLIP_SIZES: dict[str, dict[str, int]] = {
    "google/siglip2-large-patch16-256": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "image_size": 256,
        "patch_size": 16,
    },
}
"""The towers that a checkpoint may name without giving sizes."""

BUILT_IN: dict[str, Any] = {
    "activation_fn": "gelu-approximate",
    "attention_bias": True,
    "positional_embeddings": None,
    "cross_attention_dim": None,
    "add_view_embed": False,
    "game_mapping_cfg": None,
    "action_interleaving": False,
    "model_type": "nitrogen",
}
"""Switches of the public configuration that the model supports in this one position only."""


AnyConfig = TypeVar(
    "AnyConfig", bound="TransformerConfig | SiglipConfig | ConvConfig | NitroGenConfig"
)


class ConfigError(ValueError):
    """A configuration that the model cannot be built from."""


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Sizes of one stack of transformer blocks.

    Attributes:
        num_layers: blocks in the stack.
        num_attention_heads: heads of each attention.
        attention_head_dim: width of a head; heads times this is the width of the stack.
        output_dim: width of what the action transformer puts out; the other stack has no output
            layer and ignores it.
        dropout: probability after every attention and inside every MLP, while training.
        interleave_self_attention: whether every second block of the action transformer attends to
            the actions themselves instead of the frame.
    """

    num_layers: int
    num_attention_heads: int
    attention_head_dim: int
    output_dim: int
    dropout: float = 0.2
    interleave_self_attention: bool = False

    @property
    def width(self) -> int:
        """Features of a token inside the stack."""
        return self.num_attention_heads * self.attention_head_dim


@dataclass(frozen=True, kw_only=True)
class SiglipConfig:
    """Sizes of a SigLIP vision tower (pixels, features, counts)."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    image_size: int = 256
    patch_size: int = 16
    tower: str = "siglip"

    @property
    def grid(self) -> int:
        """Tokens along one side of a frame."""
        return self.image_size // self.patch_size


@dataclass(frozen=True, kw_only=True)
class ConvConfig:
    """Sizes of the lean convolutional tower, which learns in minutes on a processor.

    Attributes:
        hidden_size: features of a visual token.
        channels: features after the patchifying stem and after each halving that follows.
        patch_size: side of the stem's patches, in pixels.
        image_size: side of a frame, in pixels.
    """

    hidden_size: int
    channels: tuple[int, ...] = (24, 48, 96, 128)
    patch_size: int = 4
    image_size: int = 256
    tower: str = "conv"

    @property
    def grid(self) -> int:
        """Tokens along one side of a frame."""
        halvings = len(self.channels) - 1
        return (self.image_size // self.patch_size) >> halvings


TOWERS: dict[object, type[SiglipConfig] | type[ConvConfig]] = {
    "siglip": SiglipConfig,
    "conv": ConvConfig,
}


@dataclass(frozen=True, kw_only=True)
class NitroGenConfig:
    """Everything that decides the shape of a NitroGen and how it denoises.

    Attributes:
        vision: the vision tower.
        vl_self_attention: the blocks in which a frame's tokens attend to each other.
        diffusion: the action transformer.
        hidden_size: width inside the action decoder.
        max_seq_len: rows of the learned action positions.
        add_pos_embed: whether those positions are added to the action tokens.
        action_dim: numbers in one gamepad row.
        action_horizon: gamepad rows in one chunk.
        num_inference_timesteps: Euler steps of a sample unless the call says otherwise.
        num_timestep_buckets: the time in [0, 1) is rounded down to this many steps.
        noise_beta_alpha: first shape of the Beta distribution that training times come from.
        noise_beta_beta: second shape of it.
        noise_s: latest training time.
        max_num_embodiments: gamepads with weights of their own; this package plays number 0.
        max_sequence_length: visual tokens are padded with zeros, on the left, up to this many.
        old_layout: whether a gamepad row has its sticks first.
        extras: the whole dict that the checkpoint came with, or nothing.
    """

    vision: SiglipConfig | ConvConfig
    vl_self_attention: TransformerConfig
    diffusion: TransformerConfig
    hidden_size: int
    max_seq_len: int = 1024
    add_pos_embed: bool = True
    action_dim: int = 25
    action_horizon: int = 18
    num_inference_timesteps: int = 16
    num_timestep_buckets: int = 1000
    noise_beta_alpha: float = 1.6
    noise_beta_beta: float = 0.8
    noise_s: float = 0.999
    max_num_embodiments: int = 1
    max_sequence_length: int = 256
    old_layout: bool = False
    extras: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse sizes that do not fit together.

        Raises:
            ConfigError: if so, naming the two sizes.
        """
        widths = {
            "the vision tower's hidden_size": self.vision.hidden_size,
            "the VL self-attention's heads x head size": self.vl_self_attention.width,
            "the action transformer's heads x head size": self.diffusion.width,
        }
        if len(set(widths.values())) > 1:
            given = ", ".join(f"{name} is {width}" for name, width in widths.items())
            raise ConfigError(f"These widths must be one and the same, but {given}.")
        if self.add_pos_embed and self.max_seq_len < self.action_horizon:
            raise ConfigError(
                f"max_seq_len is {self.max_seq_len}, fewer than the {self.action_horizon} "
                "actions of a chunk that need a position each."
            )

    @classmethod
    def from_dict(cls, ckpt_config: Mapping[str, Any]) -> NitroGenConfig:
        """Read the configuration of a checkpoint; entries it does not know are kept unread.

        Args:
            ckpt_config: the public form, with `model_cfg`, `tokenizer_cfg` and `modality_cfg`,
                and `vision_cfg` where the tower's sizes do not follow from its name.

        Raises:
            ConfigError: if an entry is missing or asks for what the model does not support.
        """
        model = _section(ckpt_config, "model_cfg")
        tokenizer = _section(ckpt_config, "tokenizer_cfg")
        diffusion = _section(model, "diffusion_model_cfg")
        attention = _section(model, "vl_self_attention_cfg")
        modality = ckpt_config.get("modality_cfg", {})
        for section in (model, tokenizer, diffusion, attention, modality):
            _check_built_in(section)
        parts = {
            "vision": _read_vision(ckpt_config, model),
            "vl_self_attention": _build(TransformerConfig, attention, "vl_self_attention_cfg"),
            "diffusion": _build(TransformerConfig, diffusion, "diffusion_model_cfg"),
            "extras": ckpt_config,
        }
        return _build(cls, {**tokenizer, **model, **parts}, "model_cfg")

    def to_dict(self) -> dict[str, Any]:
        """Return the public form: what `from_dict` reads, unknown entries included."""
        tokenizer_names = ("max_sequence_length", "old_layout")
        nested = ("vision", "vl_self_attention", "diffusion", "extras")
        own = {item.name: getattr(self, item.name) for item in fields(self)}
        written = {
            "model_cfg": {
                **{name: own[name] for name in own if name not in (*tokenizer_names, *nested)},
                "vision_hidden_size": self.vision.hidden_size,
                "diffusion_model_cfg": _plain(self.diffusion),
                "vl_self_attention_cfg": _plain(self.vl_self_attention),
            },
            "tokenizer_cfg": {
                **{name: own[name] for name in tokenizer_names},
                "num_visual_tokens_per_frame": self.vision.grid**2,
            },
            "modality_cfg": {"action_per_chunk": self.action_horizon},
            "vision_cfg": _plain(self.vision),
        }
        return _merged(self.extras, written)


def _section(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = parent.get(name)
    if not isinstance(section, Mapping):
        raise ConfigError(f"The checkpoint's configuration has no section '{name}'.")
    return section


def _check_built_in(section: Mapping[str, Any]) -> None:
    for name, value in BUILT_IN.items():
        if section.get(name, value) != value:
            raise ConfigError(
                f"The checkpoint's configuration sets {name} to {section[name]!r}; "
                f"only {value!r} is supported."
            )


def _build(kind: type[AnyConfig], given: Mapping[str, Any], where: str) -> AnyConfig:
    known = {item.name: item.type for item in fields(kind)}
    values = {name: given[name] for name in known if name in given}
    for name, value in values.items():
        if known[name] == "int" and not (isinstance(value, int) and value > 0):
            raise ConfigError(f"{where}: {name} is {value!r}; expected a whole number above 0.")
        if isinstance(value, list):
            values[name] = tuple(value)
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"{where} is incomplete: {error}.") from error


def _read_vision(
    ckpt_config: Mapping[str, Any], model: Mapping[str, Any]
) -> SiglipConfig | ConvConfig:
    name = model.get("vision_encoder_name")
    sizes: Mapping[str, Any] | None = ckpt_config.get("vision_cfg") or SIGLIP_SIZES.get(str(name))
    if sizes is None:
        raise ConfigError(
            f"The checkpoint names the vision tower {name!r} without a 'vision_cfg' that gives "
            f"its sizes; known by name are {sorted(SIGLIP_SIZES)}."
        )
    kind = TOWERS.get(sizes.get("tower", "siglip"))
    if kind is None:
        raise ConfigError(f"vision_cfg asks for the tower {sizes['tower']!r}, not {[*TOWERS]}.")
    return _build(kind, sizes, "vision_cfg")


def _plain(config: TransformerConfig | SiglipConfig | ConvConfig) -> dict[str, Any]:
    values = {item.name: getattr(config, item.name) for item in fields(config)}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(old)
    for name, value in new.items():
        below = old.get(name)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        result[name] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return result
