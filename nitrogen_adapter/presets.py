"""The named models: fresh ones by their sizes, and the shipped base, which has learned."""

from __future__ import annotations

from pathlib import Path

from nitrogen_adapter.config import (
    ConvConfig,
    NitroGenConfig,
    PatchConfig,
    SiglipConfig,
    TransformerConfig,
)


def preset_config(name: str) -> NitroGenConfig:
    """Return the configuration of a named model.

    Raises:
        ValueError: if there is none of that name.
    """
    if name not in PRESETS:
        raise ValueError(f"There is no model named {name!r}; known are {', '.join(PRESETS)}.")
    return PRESETS[name]


def _stack(
    num_layers: int,
    *,
    width: int,
    head: int,
    dropout: float = 0.2,
    interleave: bool = False,
    seen: int | None = None,
) -> TransformerConfig:
    return TransformerConfig(
        num_layers=num_layers,
        num_attention_heads=width // head,
        attention_head_dim=head,
        output_dim=width,
        dropout=dropout,
        interleave_self_attention=interleave,
        cross_attention_dim=seen,
    )


def _large() -> NitroGenConfig:
    return NitroGenConfig(
        vision=SiglipConfig(
            hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16
        ),
        vl_self_attention=_stack(4, width=1024, head=64),
        diffusion=_stack(8, width=1024, head=64, interleave=True),
        hidden_size=1024,
        action_shift=3,
    )


def _student() -> NitroGenConfig:
    return NitroGenConfig(
        vision=PatchConfig(
            hidden_size=128, channels=64, convolutions=1, mlp_width=768, fovea=48, recentred=48
        ),
        vl_self_attention=_stack(1, width=128, head=32, dropout=0.0),
        diffusion=_stack(3, width=96, head=32, dropout=0.0, interleave=True, seen=128),
        hidden_size=96,
        max_seq_len=32,
        num_inference_timesteps=2,
        max_sequence_length=8,
    )


def _tiny() -> NitroGenConfig:
    return NitroGenConfig(
        vision=ConvConfig(hidden_size=32, channels=(8, 16), image_size=64),
        vl_self_attention=_stack(1, width=32, head=16),
        diffusion=_stack(2, width=32, head=16, interleave=True),
        hidden_size=32,
        max_seq_len=32,
        num_inference_timesteps=4,
        max_sequence_length=64,
    )


PRESETS = {"student": _student(), "tiny": _tiny(), "nitrogen_500m": _large()}

SHIPPED = {"base": Path(__file__).parent / "weights" / "base.safetensors"}
"""Checkpoints that come with the package, by name; `weights/README.md` is the base's model card."""


def file_of(source: str) -> Path | None:
    """Return the checkpoint that a name or a path stands for; None for a preset's fresh weights.

    Args:
        source: a name of `SHIPPED` or of `PRESETS`, or the path of a file or of a model's folder.

    Raises:
        ValueError: if it is none of these.
    """
    if source in PRESETS:
        return None
    path = SHIPPED.get(source, Path(source))
    if path.is_dir():
        path = path / "model.safetensors"
    if not path.is_file():
        known = ", ".join([*SHIPPED, *PRESETS])
        raise ValueError(f"There is no model {source!r}; expected one of {known}, or a checkpoint.")
    return path
