"""What sizes a NitroGen has: typed configuration, read from and written to a checkpoint's dict.

The dict's names are those of the public checkpoint; entries this package does not use are kept as
they came, so that a checkpoint that was read and saved again loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from arena_breaker_gym._runtime.stored import shortened

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

BUILT_IN: dict[str, object] = {
    "add_view_embed": False,
    "action_interleaving": False,
    "model_type": "nitrogen",
}
"""Switches of the public configuration that the model supports in this one position only."""

FORM: dict[str, object] = {
    "experiment_name": "arena-breaker-gym",
    "model_cfg": {"model_type": "nitrogen", "model_dtype": "float32", "add_view_embed": False},
    "tokenizer_cfg": {"tokenizer_id": "nitrogen", "training": False, "use_action_mask": True},
    "modality_cfg": {"action_interleaving": False, "token_set": "new"},  # nosec B105
}
"""Entries that the public code expects in a configuration and this package has no use for."""

Size = Annotated[int, Field(strict=True, ge=1, le=65_536)]
"""A width or a count that a sane model has; a hostile file may ask for others."""

Layers = Annotated[int, Field(strict=True, ge=1, le=256)]
Share = Annotated[float, Field(strict=True, ge=0.0, le=1.0)]
Positive = Annotated[float, Field(strict=True, gt=0.0, le=1e3)]
Flag = Annotated[bool, Field(strict=True)]

DIFFUSION_ONLY = ("norm_type", "norm_eps", "norm_elementwise_affine", "cross_attention_dim")
"""Entries that the public configuration has for the action transformer and not for the other."""

AnyConfig = TypeVar(
    "AnyConfig",
    bound="TransformerConfig | SiglipConfig | ConvConfig | PatchConfig | NitroGenConfig",
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
        final_dropout: whether it is applied again before each is added to its residual.
        activation_fn: of the MLPs, "gelu-approximate" or "gelu".
        attention_bias: whether queries, keys and values have a bias.
        norm_type: of the action transformer's blocks; only the one kind is known.
        norm_eps: of the norm before every MLP of the action transformer.
        norm_elementwise_affine: whether that norm has weights.
        positional_embeddings: "sinusoidal" adds fixed sinusoids to what every attention reads, None
            adds nothing.
        max_num_positional_embeddings: rows of that table.
        interleave_self_attention: whether every second block of the action transformer attends to
            the actions themselves instead of the frame.
        cross_attention_dim: width of what the action transformer sees of a frame, where it differs
            from its own.
    """

    num_layers: Layers
    num_attention_heads: Size
    attention_head_dim: Size
    output_dim: Size
    dropout: Share = 0.2
    final_dropout: Flag = True
    activation_fn: Literal["gelu-approximate", "gelu"] = "gelu-approximate"
    attention_bias: Flag = True
    norm_type: Literal["ada_norm"] = "ada_norm"
    norm_eps: Positive = 1e-5
    norm_elementwise_affine: Flag = False
    positional_embeddings: Literal["sinusoidal"] | None = None
    max_num_positional_embeddings: Size = 512
    interleave_self_attention: Flag = False
    cross_attention_dim: Size | None = None

    @property
    def width(self) -> int:
        """Features of a token inside the stack."""
        return self.num_attention_heads * self.attention_head_dim

    @property
    def seen_width(self) -> int:
        """Features of a token that the stack attends to in a frame."""
        return self.cross_attention_dim or self.width


@dataclass(frozen=True, kw_only=True)
class SiglipConfig:
    """Sizes of a SigLIP vision tower (pixels, features, counts), named as transformers does.

    Attributes:
        vision_use_head: whether the tower carries the pooling head, whose output is never read but
            whose weights stand in the public checkpoint.
    """

    hidden_size: Size
    intermediate_size: Size
    num_hidden_layers: Layers
    num_attention_heads: Size
    image_size: Size = 256
    patch_size: Size = 16
    hidden_act: Literal["gelu_pytorch_tanh", "gelu", "relu", "silu"] = "gelu_pytorch_tanh"
    layer_norm_eps: Positive = 1e-6
    vision_use_head: Flag = True
    tower: Literal["siglip"] = "siglip"

    @property
    def grid(self) -> int:
        """Tokens along one side of a frame."""
        return self.image_size // self.patch_size

    @property
    def tokens(self) -> int:
        """Tokens of a frame."""
        return self.grid**2


@dataclass(frozen=True, kw_only=True)
class ConvConfig:
    """Sizes of the lean convolutional tower, which learns in minutes on a processor.

    Attributes:
        hidden_size: features of a visual token.
        channels: features after the patchifying stem and after each halving that follows.
        patch_size: side of the stem's patches, in pixels.
        image_size: side of a frame, in pixels.
    """

    hidden_size: Size
    channels: Annotated[tuple[Size, ...], Field(min_length=1, max_length=16)] = (24, 48, 96, 128)
    patch_size: Size = 4
    image_size: Size = 256
    tower: Literal["conv"] = "conv"

    @property
    def grid(self) -> int:
        """Tokens along one side of a frame."""
        halvings = len(self.channels) - 1
        return (self.image_size // self.patch_size) >> halvings

    @property
    def tokens(self) -> int:
        """Tokens of a frame."""
        return self.grid**2


@dataclass(frozen=True, kw_only=True)
class PatchConfig:
    """Sizes of the patch tower: cells of a grid, flattened into a few tokens (pixels, features).

    Attributes:
        hidden_size: features of a token.
        channels: features of a cell.
        convolutions: 3 × 3 convolutions over the cells before they are thinned out.
        mlp_width: units of the two layers that see all cells at once.
        num_tokens: tokens of a frame.
        fovea: side of the window about the player that is looked at closely, in pixels, a multiple
            of twice `fovea_patch`; 0: there is none.
        fovea_patch: side of the window's patches, in pixels.
        fovea_convolutions: 3 × 3 convolutions over them.
        recentred: features of a cell of the whole frame moved so that the player is in its middle;
            0: it is not looked at. It needs a fovea, which finds the player.
    """

    hidden_size: Size
    channels: Size = 128
    convolutions: Layers = 2
    mlp_width: Size = 512
    num_tokens: Size = 8
    image_size: Size = 96
    patch_size: Size = 8
    fovea: Annotated[int, Field(strict=True, ge=0, le=1024)] = 0
    fovea_patch: Size = 4
    fovea_convolutions: Layers = 2
    recentred: Annotated[int, Field(strict=True, ge=0, le=1024)] = 0
    tower: Literal["patch"] = "patch"

    def __post_init__(self) -> None:
        """Refuse sizes that do not fit together.

        Raises:
            ConfigError: if so, naming them.
        """
        if self.fovea % (2 * self.fovea_patch):
            raise ConfigError(
                f"fovea is {self.fovea}; expected a multiple of twice fovea_patch, which is "
                f"{self.fovea_patch}."
            )
        if self.recentred and not self.fovea:
            raise ConfigError(
                f"recentred is {self.recentred} and fovea 0; expected a fovea, which finds the "
                "player."
            )

    @property
    def grid(self) -> int:
        """Cells along one side of a frame."""
        return self.image_size // self.patch_size

    @property
    def tokens(self) -> int:
        """Tokens of a frame."""
        return self.num_tokens


VisionConfig = SiglipConfig | ConvConfig | PatchConfig
"""The sizes of any of the towers."""

TOWERS: dict[object, type[SiglipConfig] | type[ConvConfig] | type[PatchConfig]] = {
    "siglip": SiglipConfig,
    "conv": ConvConfig,
    "patch": PatchConfig,
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
        frame_per_sample: frames that the model looks at together, the oldest first.
        frame_spacing: steps between two of them.
        action_shift: steps between a frame and the first row of its chunk.
        games: names of the games that it was told apart, in the order of their embeddings; the
            first stands for no game in particular. Empty where it was not told.
        extras: the whole dict that the checkpoint came with, or nothing.
    """

    vision: VisionConfig
    vl_self_attention: TransformerConfig
    diffusion: TransformerConfig
    hidden_size: Size
    max_seq_len: Size = 1024
    add_pos_embed: Flag = True
    action_dim: Size = 25
    action_horizon: Size = 18
    num_inference_timesteps: Size = 16
    num_timestep_buckets: Size = 1000
    noise_beta_alpha: Positive = 1.6
    noise_beta_beta: Positive = 0.8
    noise_s: Share = 0.999
    max_num_embodiments: Size = 1
    max_sequence_length: Size = 256
    old_layout: Flag = False
    frame_per_sample: Size = 1
    frame_spacing: Size = 18
    action_shift: Annotated[int, Field(strict=True, ge=0, le=65_536)] = 0
    games: tuple[str, ...] = ()
    extras: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse sizes that do not fit together.

        Raises:
            ConfigError: if so, naming the two sizes.
        """
        _check_equal(
            {
                "the vision tower's hidden_size": self.vision.hidden_size,
                "the VL self-attention's heads x head size": self.vl_self_attention.width,
                "what the action transformer attends to": self.diffusion.seen_width,
            }
        )
        _check_equal(
            {
                "hidden_size": self.hidden_size,
                "the action transformer's heads x head size": self.diffusion.width,
            }
        )
        if self.add_pos_embed and self.max_seq_len < self.action_horizon:
            raise ConfigError(
                f"max_seq_len is {self.max_seq_len}, fewer than the {self.action_horizon} "
                "actions of a chunk that need a position each."
            )

    @property
    def is_student(self) -> bool:
        """Whether this is the laptop student's kind of network, which a base is: a patch tower."""
        return isinstance(self.vision, PatchConfig)

    @classmethod
    def from_dict(cls, ckpt_config: Mapping[str, object]) -> NitroGenConfig:
        """Read the configuration of a checkpoint; entries it does not know are kept unread.

        Args:
            ckpt_config: the public form, with `model_cfg`, `tokenizer_cfg` and `modality_cfg`,
                and `vision_cfg` where the tower's sizes do not follow from its name.

        Raises:
            ConfigError: if an entry is missing or asks for what the model does not support.
        """
        model = _section(ckpt_config, "model_cfg")
        tokenizer = _section(ckpt_config, "tokenizer_cfg")
        modality = _section(ckpt_config, "modality_cfg", optional=True)
        for section in (model, tokenizer, modality):
            _check_built_in(section)
        if modality.get("frame_spacing", 0) is None:  # the public way to say: one chunk apart
            modality = {**modality, "frame_spacing": modality.get("action_per_chunk")}
        parts = {
            "vision": _read_vision(ckpt_config, model),
            "vl_self_attention": _read_stack(model, "vl_self_attention_cfg"),
            "diffusion": _read_stack(model, "diffusion_model_cfg"),
            "games": _read_games(tokenizer),
            "extras": ckpt_config,
        }
        return _build(cls, {**modality, **tokenizer, **model, **parts}, "model_cfg")

    def to_dict(self) -> dict[str, Any]:
        """Return the public form: what `from_dict` reads, unknown entries included."""
        tokenizer_names = ("max_sequence_length", "old_layout")
        modality_names = ("frame_per_sample", "frame_spacing", "action_shift")
        nested = ("vision", "vl_self_attention", "diffusion", "games", "extras")
        own = {item.name: getattr(self, item.name) for item in fields(self)}
        elsewhere = (*tokenizer_names, *modality_names, *nested)
        written = {
            "model_cfg": {
                **{name: own[name] for name in own if name not in elsewhere},
                "vision_hidden_size": self.vision.hidden_size,
                "diffusion_model_cfg": _plain(self.diffusion),
                "vl_self_attention_cfg": _plain(self.vl_self_attention, without=DIFFUSION_ONLY),
            },
            "tokenizer_cfg": {
                **{name: own[name] for name in tokenizer_names},
                "num_visual_tokens_per_frame": self.vision.tokens,
                "max_action_dim": self.action_dim,
                "action_horizon": self.action_horizon,
                "game_mapping_cfg": {"games": list(self.games)} if self.games else None,
            },
            "modality_cfg": {
                **{name: own[name] for name in modality_names},
                "action_per_chunk": self.action_horizon,
            },
            "vision_cfg": _plain(self.vision),
        }
        name = _tower_name(self.vision)
        if name is not None:
            written["model_cfg"]["vision_encoder_name"] = name
        return _merged(self.extras or FORM, written)


def _check_equal(widths: Mapping[str, int]) -> None:
    if len(set(widths.values())) > 1:
        given = ", ".join(f"{name} is {width}" for name, width in widths.items())
        raise ConfigError(f"These widths must be one and the same, but {given}.")


def _section(
    parent: Mapping[str, object], name: str, *, optional: bool = False
) -> Mapping[str, object]:
    section = parent.get(name, {} if optional else None)
    if not isinstance(section, Mapping):
        raise ConfigError(f"The checkpoint's configuration has no section '{name}'.")
    return section


def _check_built_in(section: Mapping[str, object]) -> None:
    for name, value in BUILT_IN.items():
        if section.get(name, value) != value:
            raise ConfigError(
                f"The checkpoint's configuration sets {name} to {shortened(section[name])}; "
                f"only {value!r} is supported."
            )


def _build(kind: type[AnyConfig], given: Mapping[str, object], where: str) -> AnyConfig:
    known = [item.name for item in fields(kind)]
    values = {name: given[name] for name in known if name in given}
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        raise ConfigError(_sentence(error, where)) from None


def _sentence(error: ValidationError, where: str) -> str:
    """Says the first fault that validation found."""
    fault = error.errors(include_url=False)[0]
    reason = fault.get("ctx", {}).get("error")
    if reason is not None:  # our own sentence, raised by __post_init__
        return str(reason)
    entry = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "missing":
        return f"{where} is incomplete: {entry} is missing."
    return f"{where}: {entry} is {fault['input']!r:.80}; {fault['msg'].lower()}."


def _read_stack(model: Mapping[str, object], name: str) -> TransformerConfig:
    return _build(TransformerConfig, _section(model, name), name)


def _read_games(tokenizer: Mapping[str, object]) -> tuple[str, ...]:
    """The names of the games, where the mapping holds them and not just where to look for them."""
    mapping = tokenizer.get("game_mapping_cfg")
    names = mapping.get("games", ()) if isinstance(mapping, Mapping) else ()
    return tuple(str(name) for name in names)


def _read_vision(ckpt_config: Mapping[str, object], model: Mapping[str, object]) -> VisionConfig:
    name = model.get("vision_encoder_name")
    sizes: object = ckpt_config.get("vision_cfg") or SIGLIP_SIZES.get(str(name))
    if not isinstance(sizes, Mapping):
        raise ConfigError(
            f"The checkpoint names the vision tower {shortened(name)} without a 'vision_cfg' that "
            f"gives its sizes; known by name are {sorted(SIGLIP_SIZES)}."
        )
    tower = sizes.get("tower", "siglip")
    kind = TOWERS.get(tower) if isinstance(tower, str) else None
    if kind is None:
        raise ConfigError(f"vision_cfg asks for the tower {tower!r:.80}, not {[*TOWERS]}.")
    return _build(kind, {"hidden_size": model.get("vision_hidden_size"), **sizes}, "vision_cfg")


def _tower_name(vision: VisionConfig) -> str | None:
    """The public name of a tower of these sizes, by which the public code finds it."""
    sizes = _plain(vision)
    for name, known in SIGLIP_SIZES.items():
        if isinstance(vision, SiglipConfig) and known.items() <= sizes.items():
            return name
    return None


def _plain(
    config: TransformerConfig | VisionConfig, *, without: tuple[str, ...] = ()
) -> dict[str, object]:
    names = [item.name for item in fields(config) if item.name not in without]
    values = {name: getattr(config, name) for name in names}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}


def _merged(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, object]:
    result = dict(old)
    for name, value in new.items():
        below = old.get(name)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[name] = _merged(below, value)
        else:
            result[name] = value
    return result
