"""NitroGen in one readable file: frame -> visual tokens -> chunk of gamepad actions.

A vision tower turns a frame into tokens, self-attention lets the tokens exchange what they saw,
and an action transformer denoises 18 gamepad rows while it looks at them (flow matching). The
parameters are named as in the public checkpoint. What depends on the frame alone is computed once
a frame: the tower, the self-attention, and the keys and values that the actions attend to.

Shapes: B frames' worth of samples, F frames in a sample, T visual tokens, L = 18 rows in a chunk,
A = 25 numbers in a row, C features, K noise draws that share one look at the frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from nitrogen_adapter import gamepad
from nitrogen_adapter.config import NitroGenConfig, TransformerConfig
from nitrogen_adapter.splits import DEFAULT_SPLIT, ParameterCount, in_split
from nitrogen_adapter.vision import build_tower, encode_image, recompute_tower

KeysValues = tuple[Tensor, Tensor]
"""Keys and values of one attention, each (B, heads, T, features of a head)."""

TIME_FEATURES = 256
"""Sinusoids that describe the denoising time to the action transformer."""


class PositionalEncoding(nn.Module):
    """Fixed sinusoids over tokens' positions, added to them; the checkpoint calls them `pe`."""

    pe: Tensor

    def __init__(self, positions: int, width: int) -> None:
        """Compute the table: sines in even columns, cosines in odd ones."""
        super().__init__()
        pace = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
        angles = torch.arange(positions)[:, None] * pace
        table = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :width]
        self.register_buffer("pe", table[None])

    def forward(self, tokens: Tensor) -> Tensor:
        """Add to (n, L, C) tokens the table's first L positions."""
        return tokens + self.pe[:, : tokens.shape[1]]


def _positional_encoding(config: TransformerConfig) -> PositionalEncoding | None:
    """Returns the positional encoding of a block, where the configuration wants some."""
    if config.positional_embeddings is None:
        return None
    return PositionalEncoding(config.max_num_positional_embeddings, config.width)


class Attention(nn.Module):
    """Multi-head attention whose keys and values can be computed ahead and used again."""

    def __init__(self, config: TransformerConfig, *, seen_width: int | None = None) -> None:
        """Build the four projections; `seen_width` is that of the tokens attended to."""
        super().__init__()
        width, bias = config.width, config.attention_bias
        seen_width = width if seen_width is None else seen_width
        self.heads = config.num_attention_heads
        self.to_q = nn.Linear(width, width, bias=bias)
        self.to_k = nn.Linear(seen_width, width, bias=bias)
        self.to_v = nn.Linear(seen_width, width, bias=bias)
        self.to_out = nn.Sequential(nn.Linear(width, width), nn.Dropout(config.dropout))
        self.final_dropout = nn.Dropout(config.dropout if config.final_dropout else 0.0)

    def keys_values(self, tokens: Tensor) -> KeysValues:
        """Return what (B, T, C) tokens offer to the tokens that attend to them."""
        return self._split(self.to_k(tokens)), self._split(self.to_v(tokens))

    def forward(self, tokens: Tensor, seen: KeysValues) -> Tensor:
        """Let tokens (B * K, L, C) attend to what each of B samples offers."""
        keys, values = seen
        # The K draws of a sample look at the same keys: put side by side, they share them.
        queries = self._split(self.to_q(tokens).reshape(len(keys), -1, tokens.shape[-1]))
        mixed = _attention(queries, keys, values)
        attended = self.to_out(mixed.transpose(1, 2).reshape(tokens.shape))
        result: Tensor = self.final_dropout(attended)
        return result

    def _split(self, tokens: Tensor) -> Tensor:
        samples, count, _ = tokens.shape
        return tokens.reshape(samples, count, self.heads, -1).transpose(1, 2)  # heads before T


def _attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Softmax attention over (n, heads, L, features of a head)."""
    if queries.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return F.scaled_dot_product_attention(queries, keys, values)
    # On a processor, torch's backward pass of it is four times slower in bfloat16 than in single.
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(queries.float(), keys.float(), values.float())


class GeluLinear(nn.Module):
    """A linear layer and a GELU; the checkpoint names the layer `proj`."""

    def __init__(self, width: int, wider: int, *, exact: bool) -> None:
        """Build the layer; `exact` is the GELU itself, else its approximation by a tanh."""
        super().__init__()
        self.proj = nn.Linear(width, wider)
        self.approximate = "none" if exact else "tanh"

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (..., width) to (..., wider)."""
        return F.gelu(self.proj(tokens), approximate=self.approximate)


class FeedForward(nn.Module):
    """The MLP of a block: four times as wide inside."""

    def __init__(self, config: TransformerConfig) -> None:
        """Build the two layers and the dropout after each."""
        super().__init__()
        width = config.width
        self.net = nn.Sequential(
            GeluLinear(width, 4 * width, exact=config.activation_fn == "gelu"),
            nn.Dropout(config.dropout),
            nn.Linear(4 * width, width),
            nn.Dropout(config.dropout if config.final_dropout else 0.0),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (..., C) to (..., C)."""
        result: Tensor = self.net(tokens)
        return result


class SelfAttentionBlock(nn.Module):
    """A pre-norm block in which the visual tokens attend to each other."""

    def __init__(self, config: TransformerConfig) -> None:
        """Build the block."""
        super().__init__()
        self.pos_embed = _positional_encoding(config)
        self.norm1 = nn.LayerNorm(config.width)
        self.attn1 = Attention(config)
        self.norm3 = nn.LayerNorm(config.width)
        self.ff = FeedForward(config)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (B, T, C) to (B, T, C)."""
        normed = self.norm1(tokens)
        if self.pos_embed is not None:
            normed = self.pos_embed(normed)
        tokens = tokens + self.attn1(normed, self.attn1.keys_values(normed))
        result: Tensor = tokens + self.ff(self.norm3(tokens))
        return result


class SelfAttentionTransformer(nn.Module):
    """The blocks between the tower and the actions."""

    def __init__(self, config: TransformerConfig) -> None:
        """Build the blocks."""
        super().__init__()
        self.transformer_blocks = nn.ModuleList(
            SelfAttentionBlock(config) for _ in range(config.num_layers)
        )
        self.recompute = False

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (B, T, C) to (B, T, C)."""
        for block in self.transformer_blocks:
            tokens = _run(block, tokens, recompute=self.recompute)
        return tokens


class AdaptiveNorm(nn.Module):
    """A layer norm that the denoising time scales and shifts."""

    def __init__(self, width: int) -> None:
        """Build the layer that reads the time."""
        super().__init__()
        self.linear = nn.Linear(width, 2 * width)
        self.norm = nn.LayerNorm(width, elementwise_affine=False)

    def forward(self, tokens: Tensor, time: Tensor) -> Tensor:
        """Norm (n, L, C) tokens under (n, C) time features."""
        scale, shift = self.linear(F.silu(time))[:, None].chunk(2, dim=-1)
        result: Tensor = self.norm(tokens) * (1.0 + scale) + shift
        return result


class ActionBlock(nn.Module):
    """A block in which the actions attend to the frame, or to each other."""

    def __init__(self, config: TransformerConfig, *, attends_to_frame: bool) -> None:
        """Build the block."""
        super().__init__()
        self.attends_to_frame = attends_to_frame
        self.pos_embed = _positional_encoding(config)
        self.norm1 = AdaptiveNorm(config.width)
        self.attn1 = Attention(config, seen_width=config.seen_width if attends_to_frame else None)
        self.norm3 = nn.LayerNorm(
            config.width, config.norm_eps, elementwise_affine=config.norm_elementwise_affine
        )
        self.ff = FeedForward(config)

    def forward(self, tokens: Tensor, time: Tensor, frame: KeysValues | None) -> Tensor:
        """Map (n, L, C) action tokens; `frame` is None where they attend to each other."""
        normed = self.norm1(tokens, time)
        if self.pos_embed is not None:
            normed = self.pos_embed(normed)
        seen = self.attn1.keys_values(normed) if frame is None else frame
        tokens = tokens + self.attn1(normed, seen)
        result: Tensor = tokens + self.ff(self.norm3(tokens))
        return result


class TimestepEmbedder(nn.Module):
    """Linear, SiLU, linear over the sinusoids of a bucketed time."""

    def __init__(self, width: int) -> None:
        """Build the two layers."""
        super().__init__()
        self.linear_1 = nn.Linear(TIME_FEATURES, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, buckets: Tensor) -> Tensor:
        """Map (n,) buckets to (n, C) time features."""
        half = TIME_FEATURES // 2
        sine, cosine = _waves(buckets, count=half, spread=half - 1)
        waves = torch.cat([cosine, sine], dim=-1).to(self.linear_1.weight.dtype)
        result: Tensor = self.linear_2(F.silu(self.linear_1(waves)))
        return result


class TimestepEncoder(nn.Module):
    """A name that the checkpoint puts around the embedder."""

    def __init__(self, width: int) -> None:
        """Build the embedder."""
        super().__init__()
        self.timestep_embedder = TimestepEmbedder(width)

    def forward(self, buckets: Tensor) -> Tensor:
        """Map (n,) buckets to (n, C) time features."""
        result: Tensor = self.timestep_embedder(buckets)
        return result


class ActionTransformer(nn.Module):
    """The diffusion transformer: noisy action tokens to denoised ones, given frame and time."""

    def __init__(self, config: TransformerConfig) -> None:
        """Build the blocks and the output layers."""
        super().__init__()
        width = config.width
        self.timestep_encoder = TimestepEncoder(width)
        self.transformer_blocks = nn.ModuleList(
            ActionBlock(config, attends_to_frame=i % 2 == 0 or not config.interleave_self_attention)
            for i in range(config.num_layers)
        )
        self.norm_out = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.proj_out_1 = nn.Linear(width, 2 * width)
        self.proj_out_2 = nn.Linear(width, config.output_dim)
        self.recompute = False

    def context(self, features: Tensor) -> list[KeysValues | None]:
        """Return for every block what it will see of (B, T, C) features, once per frame."""
        blocks = cast("Iterator[ActionBlock]", iter(self.transformer_blocks))
        return [b.attn1.keys_values(features) if b.attends_to_frame else None for b in blocks]

    def forward(self, tokens: Tensor, buckets: Tensor, context: list[KeysValues | None]) -> Tensor:
        """Map (B * K, L, C) action tokens at (B * K,) time buckets to (B * K, L, output)."""
        time = self.timestep_encoder(buckets)
        for block, frame in zip(self.transformer_blocks, context, strict=True):
            tokens = _run(block, tokens, time, frame, recompute=self.recompute)
        shift, scale = self.proj_out_1(F.silu(time))[:, None].chunk(2, dim=-1)
        result: Tensor = self.proj_out_2(self.norm_out(tokens) * (1.0 + scale) + shift)
        return result


class EmbodimentLinear(nn.Module):
    """A linear layer with weights (in, out) for every embodiment, of which the first plays."""

    def __init__(self, embodiments: int, inner: int, outer: int) -> None:
        """Build the layer; the weights start at the deviation of a common linear layer."""
        super().__init__()
        self.W = nn.Parameter(torch.randn(embodiments, inner, outer) / math.sqrt(inner))
        self.b = nn.Parameter(torch.zeros(embodiments, outer))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        return tokens @ self.W[0] + self.b[0]


class ActionEncoder(nn.Module):
    """Noisy gamepad rows and the time to action tokens."""

    def __init__(self, config: NitroGenConfig) -> None:
        """Build the three layers."""
        super().__init__()
        n, width = config.max_num_embodiments, config.diffusion.width
        self.W1 = EmbodimentLinear(n, config.action_dim, width)
        self.W2 = EmbodimentLinear(n, 2 * width, width)
        self.W3 = EmbodimentLinear(n, width, width)

    def forward(self, rows: Tensor, buckets: Tensor) -> Tensor:
        """Map (n, L, A) rows at (n,) time buckets to (n, L, C) tokens."""
        tokens = self.W1(rows)
        half = tokens.shape[-1] // 2
        waves = torch.cat(_waves(buckets, count=half, spread=half), dim=-1).to(tokens.dtype)
        timed = torch.cat([tokens, waves[:, None].expand_as(tokens)], dim=-1)
        result: Tensor = self.W3(F.silu(self.W2(timed)))
        return result


class ActionDecoder(nn.Module):
    """Denoised action tokens to the velocity of the gamepad rows."""

    def __init__(self, config: NitroGenConfig) -> None:
        """Build the two layers."""
        super().__init__()
        n = config.max_num_embodiments
        self.layer1 = EmbodimentLinear(n, config.diffusion.output_dim, config.hidden_size)
        self.layer2 = EmbodimentLinear(n, config.hidden_size, config.action_dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (n, L, C) to (n, L, A)."""
        result: Tensor = self.layer2(F.relu(self.layer1(tokens)))
        return result


def _run(block: nn.Module, *inputs: Tensor | KeysValues | None, recompute: bool) -> Tensor:
    """Runs a block; to recompute it in the backward pass saves the memory of what is inside."""
    again = recompute and torch.is_grad_enabled()
    result: Tensor = checkpoint(block, *inputs, use_reentrant=False) if again else block(*inputs)
    return result


class NitroGen(nn.Module):
    """Vision-to-gamepad model: pixels in, a chunk of gamepad rows out."""

    def __init__(self, config: NitroGenConfig) -> None:
        """Build the model with fresh weights from torch's random numbers."""
        super().__init__()
        self.config = config
        self.vision_encoder = build_tower(config.vision)
        self.vl_self_attention_model = SelfAttentionTransformer(config.vl_self_attention)
        self.model = ActionTransformer(config.diffusion)
        self.action_encoder = ActionEncoder(config)
        self.action_decoder = ActionDecoder(config)
        if config.add_pos_embed:
            self.position_embedding = nn.Embedding(config.max_seq_len, config.diffusion.width)
            nn.init.normal_(self.position_embedding.weight, std=0.02)
        if config.games:
            self.game_embedding = nn.Embedding(
                len(config.games), config.vision.hidden_size, padding_idx=0
            )

    @classmethod
    def from_checkpoint(cls, path: str | Path, *, device: str = "cpu") -> NitroGen:
        """Read a model from a file: the public `ng.pt`, or one of `checkpoint.save`.

        Args:
            path: the file, `.pt` or `.safetensors`.
            device: where the weights go.

        Returns:
            The model, ready to sample (in evaluation mode), float32 whatever the file holds.

        Raises:
            CheckpointError: if there is no such file, or it is damaged or something else.
        """
        from nitrogen_adapter import checkpoint as file

        return file.load(path, device=device)

    @classmethod
    def from_pretrained(
        cls, source: str | Path, *, revision: str | None = None, device: str = "cpu"
    ) -> NitroGen:
        """Read a model from a folder of `save_pretrained`, or from a hub by its id.

        Args:
            source: the folder; or an id such as "nvidia/NitroGen", which the hub's library
                downloads once and keeps.
            revision: of an id, a branch, tag or commit.
            device: where the weights go.

        Returns:
            The model, ready to sample, as `from_checkpoint` gives it.

        Raises:
            CheckpointError: if it is neither, cannot be reached, or what it holds is damaged.
            MissingExtraError: if an id is given and `huggingface_hub` is not installed.
        """
        from nitrogen_adapter import hub

        return hub.load(source, revision=revision, device=device)

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        description: str | None = None,
        license: str | None = None,
    ) -> None:
        """Write a folder as hubs keep models: `config.json`, `model.safetensors`, `README.md`.

        Args:
            folder: made where there is none; a README.md that is in it stays as it is.
            description: what the model card says of the model.
            license: the identifier for the card, such as "mit". What was trained from NitroGen's
                weights is under their terms.
        """
        from nitrogen_adapter import hub

        name = Path(folder).name
        card = hub.card_of(self, name, description=description, license=license)
        hub.save(Path(folder), self, card=card)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        message: str = "A NitroGen model",
        description: str | None = None,
        license: str | None = None,
    ) -> str:
        """Write the same folder to a hub, with the token that its library was told.

        A model card that lies there already stays as it is.

        Args:
            repo_id: such as "me/walker"; made where there is none.
            private: whether others see it; the hub's default if not given.
            message: of the commit.
            description: as `save_pretrained` takes it.
            license: likewise.

        Returns:
            The address of the commit.

        Raises:
            CheckpointError: if the hub cannot be reached or says no.
            MissingExtraError: if `huggingface_hub` is not installed.
        """
        from nitrogen_adapter import hub

        card = hub.card_of(self, repo_id, description=description, license=license)
        return hub.push(repo_id, self, card=card, private=private, message=message)

    @classmethod
    def preset(cls, name: str, *, device: str = "cpu", seed: int = 0) -> NitroGen:
        """Build a named model with fresh weights.

        Args:
            name: "student", "tiny" or "nitrogen_500m".
            device: where its weights lie; "meta" gives shapes without memory.
            seed: of the fresh weights; torch's global random numbers are left as they were.

        Raises:
            ValueError: if no preset has that name.
        """
        from nitrogen_adapter.presets import preset_config

        config = preset_config(name)
        with torch.random.fork_rng(devices=[]), torch.device(device):
            torch.manual_seed(seed)
            return cls(config)

    # ---- the vision encoder ----

    def see(self, pixel_values: Tensor) -> Tensor:
        """Return the tower's own tokens of every frame.

        Args:
            pixel_values: (B, F, 3, S, S) in [-1, 1].

        Returns:
            (B, F, tokens of a frame, C).

        Raises:
            ValueError: if the shape is another.
        """
        side = self.config.vision.image_size
        if pixel_values.ndim != 5 or tuple(pixel_values.shape[2:]) != (3, side, side):
            raise ValueError(
                f"pixel_values have the shape {tuple(pixel_values.shape)}; "
                f"expected (samples, frames, 3, {side}, {side})."
            )
        tokens = encode_image(self.vision_encoder, pixel_values.flatten(0, 1).to(self._dtype))
        return tokens.reshape(*pixel_values.shape[:2], *tokens.shape[1:])

    def encode(self, pixel_values: Tensor, game: str | int | None = None) -> Tensor:
        """Return all that the actions get to see of the frames; it can be kept as float16.

        Args:
            pixel_values: (B, F, 3, S, S) in [-1, 1], the oldest frame first.
            game: the game's name or number, for a model that was told games apart.

        Returns:
            (B, T, C) features, T being `max_sequence_length`.

        Raises:
            ValueError: if the shape is another, the frames give more tokens than T, or the model
                does not know the game.
        """
        return self.attend(self.see(pixel_values), game)

    def attend(self, tokens: Tensor, game: str | int | None = None) -> Tensor:
        """Let the tokens of all frames exchange what they saw.

        Args:
            tokens: (B, F, tokens of a frame, C) what `see` returned.
            game: the game's name or number, for a model that was told games apart.

        Returns:
            (B, T, C) features, as `encode` returns them.

        Raises:
            ValueError: if there are more tokens than T or the model does not know the game.
        """
        frames, most = tokens.shape[1], self.config.max_sequence_length
        tokens = tokens.flatten(1, 2)
        row = self.game_row(game)
        if row is not None:
            told = self.game_embedding.weight[row].expand(len(tokens), 1, -1)
            tokens = torch.cat([told.to(tokens.dtype), tokens], dim=1)
        room = most - tokens.shape[1]
        if room < 0:
            raise ValueError(
                f"{frames} frames give {tokens.shape[1]} tokens, more than the configuration's "
                f"max_sequence_length of {most}."
            )
        # NitroGen masks no padding, so the zeros on the left are attended to here as there.
        padded = F.pad(tokens, (0, 0, room, 0))
        result: Tensor = self.vl_self_attention_model(padded)
        return result

    def game_row(self, game: str | int | None) -> int | None:
        """Return where a game's embedding stands, or None for a model that has none.

        Args:
            game: a name of the configuration's `games`, or its number; None for no game in
                particular, which is number 0.

        Raises:
            ValueError: if the model does not know the game.
        """
        games = self.config.games
        if not games and game is None:
            return None
        if not games:
            raise ValueError(f"The model was not told games apart, so it knows no {game!r}.")
        if game is None:
            return 0
        row = games.index(game) if game in games else game
        if not isinstance(row, int) or not 0 <= row < len(games):
            known = ", ".join(games[:20])
            raise ValueError(f"The model knows no game {game!r} of its {len(games)}: {known}.")
        return row

    # ---- the action head ----

    def velocity(self, rows: Tensor, time: Tensor, context: list[KeysValues | None]) -> Tensor:
        """Return where noisy rows should flow.

        Args:
            rows: (B * K, L, A) noisy gamepad rows.
            time: (B * K,) in [0, 1); 0 is pure noise.
            context: what the action transformer's `context` gave for B samples.

        Returns:
            (B * K, L, A) velocity.
        """
        buckets = (time * self.config.num_timestep_buckets).long().to(rows.device)
        tokens = self.action_encoder(rows.to(self._dtype), buckets)
        if self.config.add_pos_embed:
            tokens = tokens + self.position_embedding.weight[: rows.shape[1]]
        flow = self.action_decoder(self.model(tokens, buckets, context))
        result: Tensor = flow.to(rows.dtype)
        return result

    @torch.no_grad()
    def sample(
        self,
        pixel_values: Tensor | None = None,
        noise: Tensor | None = None,
        steps: int | None = None,
        guidance: float = 1.0,
        generator: torch.Generator | None = None,
        *,
        features: Tensor | None = None,
        game: str | int | None = None,
    ) -> Tensor:
        """Denoise a chunk of gamepad rows for every sample.

        Args:
            pixel_values: (B, F, 3, S, S) in [-1, 1]; or give `features`.
            noise: (B, 18, 25) to start from; drawn where not given.
            steps: Euler steps; the configuration's number where not given.
            guidance: 1 samples plainly; any other s adds s times what the earlier frames change.
            generator: where the noise is drawn from.
            features: (B, T, C) what `encode` returned, instead of pixels.
            game: the game's name or number, for a model that was told games apart.

        Returns:
            (B, 18, 25) packed rows, as `decode` and `gamepad.unpack` read them.

        Raises:
            ValueError: if both or neither of pixels and features are given, guidance is asked for
                without pixels, `steps` is below 1, or a shape is wrong.
        """
        seen = self._features(pixel_values, features, game)
        contexts = [self.model.context(seen)]
        if guidance != 1.0:
            if pixel_values is None:
                raise ValueError("Guidance needs pixel_values: features hold no single frame.")
            contexts.append(self.model.context(self.encode(pixel_values[:, -1:], game)))
        steps = self.config.num_inference_timesteps if steps is None else steps
        if steps < 1:
            raise ValueError(f"steps is {steps}; expected at least 1.")
        rows = self._noise(len(seen), noise, generator)
        return self.denoise(rows, contexts, steps, guidance)

    def denoise(
        self,
        rows: Tensor,
        contexts: list[list[KeysValues | None]],
        steps: int,
        guidance: float = 1.0,
    ) -> Tensor:
        """Follow the flow from noise to packed rows, with gradients where they are kept.

        Args:
            rows: (B, 18, 25) noise to start from.
            contexts: what the action transformer's `context` gave for all frames, and with
                guidance for the last one alone.
            steps: Euler steps.
            guidance: as in `sample`.

        Returns:
            (B, 18, 25) packed rows.
        """
        for step in range(steps):
            # In double precision: a single's rounding can fall into the bucket beside.
            time = torch.full((len(rows),), step / steps, dtype=torch.float64)
            flow, *alone = (self.velocity(rows, time, context) for context in contexts)
            for last_frame_flow in alone:
                flow = flow + guidance * (flow - last_frame_flow)
            rows = rows + flow / steps
        return rows

    def loss(
        self,
        pixel_values: Tensor | None,
        actions: Tensor,
        noise: Tensor | None = None,
        time: Tensor | None = None,
        *,
        features: Tensor | None = None,
        noise_samples: int = 1,
        weights: Tensor | None = None,
        generator: torch.Generator | None = None,
        game: str | int | None = None,
    ) -> Tensor:
        """Return the flow-matching loss: the mean squared error of the velocity.

        Args:
            pixel_values: (B, F, 3, S, S) in [-1, 1], or None with `features`.
            actions: (B, 18, 25) packed rows to learn.
            noise: (B * K, 18, 25); drawn where not given.
            time: (B * K,) in [0, 1); drawn from the configuration's distribution where not given.
            features: (B, T, C) what `encode` returned, instead of pixels.
            noise_samples: K, how many noises share one look at a frame; those of a sample lie side
                by side in `noise` and `time`.
            weights: (25,) how much each number of a row counts, or (18, 25) each of each row; all
                the same where not given.
            generator: where noise and time are drawn from.
            game: the game's name or number, for a model that was told games apart.

        Returns:
            A scalar.

        Raises:
            ValueError: if both or neither of pixels and features are given or a shape is wrong.
        """
        seen = self._features(pixel_values, features, game)
        expected = (len(seen), self.config.action_horizon, self.config.action_dim)
        if tuple(actions.shape) != expected:
            raise ValueError(f"actions have the shape {tuple(actions.shape)}; expected {expected}.")
        actions = actions.repeat_interleave(noise_samples, dim=0)
        noise = self._noise(len(actions), noise, generator)
        time = self.draw_times(len(actions), generator) if time is None else time
        share = time[:, None, None].to(actions.dtype)
        flow = self.velocity(
            (1.0 - share) * noise + share * actions, time, self.model.context(seen)
        )
        error = (flow - (actions - noise)).square()
        return error.mean() if weights is None else (error * weights).mean() / weights.mean()

    def draw_times(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw (count,) training times in [0, 1), most of them early, as the checkpoint's was."""
        config, device = self.config, self.action_decoder.layer1.W.device
        uniform = torch.rand(count, generator=generator, device=device)
        beta = _beta_quantiles(config.noise_beta_alpha, config.noise_beta_beta).to(device)
        return (1.0 - beta[(uniform * len(beta)).long()]) * config.noise_s

    def decode(self, chunk: Tensor) -> dict[str, Tensor]:
        """Read packed rows as sticks and buttons.

        Args:
            chunk: (B, 18, 25) packed rows.

        Returns:
            `j_left` and `j_right` (B, 18, 2) in [-1, 1], `buttons` (B, 18, 21) of 0 and 1.
        """
        parts = gamepad.layout(old_layout=self.config.old_layout)
        return {
            "j_left": (chunk[..., parts.left] * 2.0 - 1.0).clamp(-1.0, 1.0),
            "j_right": (chunk[..., parts.right] * 2.0 - 1.0).clamp(-1.0, 1.0),
            "buttons": (chunk[..., parts.buttons] > gamepad.DOWN).float(),
        }

    def compile_parts(self) -> None:
        """Let `torch.compile` speed up the parts that run often, after a slow first call."""
        self.vision_encoder.compile()
        self.vl_self_attention_model.compile()
        self.model.compile()

    # ---- who learns ----

    @property
    def gradient_checkpointing(self) -> bool:
        """Whether blocks are computed again in the backward pass, to save memory for time."""
        return self.model.recompute

    @gradient_checkpointing.setter
    def gradient_checkpointing(self, wanted: bool) -> None:
        self.model.recompute = wanted
        self.vl_self_attention_model.recompute = wanted
        recompute_tower(self.vision_encoder, wanted=wanted)

    def train(self, mode: bool = True) -> NitroGen:
        """Switch dropout on or off; parts that are frozen look without it in any case."""
        super().train(mode)
        for part in (self.vision_encoder, self.vl_self_attention_model):
            if not any(p.requires_grad for p in part.parameters()):
                part.eval()
        return self

    def freeze(self, split: str = DEFAULT_SPLIT) -> None:
        """Let only a split learn from now on; all else stays as it is.

        Args:
            split: a name of `splits.SPLITS`.

        Raises:
            ValueError: if there is no such split.
        """
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(in_split(name, split))

    def learning(self) -> dict[str, nn.Parameter]:
        """Return by name the parameters that are not frozen."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def trainable_parameters(self, split: str = DEFAULT_SPLIT) -> ParameterCount:
        """Count the numbers that post-training a split changes, frozen or not at the moment.

        Args:
            split: a name of `splits.SPLITS`; the default is the article's, and 127,290,393 numbers
                of the real model.

        Returns:
            The count; iterating over it gives the parameters, as an optimiser wants them.

        Raises:
            ValueError: if there is no such split.
        """
        return ParameterCount(p for name, p in self.named_parameters() if in_split(name, split))

    def num_parameters(self) -> int:
        """Count the numbers in all parameters: 493,631,513 in the real model."""
        return sum(p.numel() for p in self.parameters())

    # ---- helpers ----

    @property
    def _dtype(self) -> torch.dtype:
        return self.action_decoder.layer1.W.dtype

    def _features(
        self, pixel_values: Tensor | None, features: Tensor | None, game: str | int | None
    ) -> Tensor:
        if (pixel_values is None) == (features is None):
            raise ValueError("Give either pixel_values or features, and not both.")
        if features is not None:
            return features.to(self._dtype)
        return self.encode(cast("Tensor", pixel_values), game)

    def _noise(self, count: int, noise: Tensor | None, generator: torch.Generator | None) -> Tensor:
        shape = (count, self.config.action_horizon, self.config.action_dim)
        if noise is None:
            device = self.action_decoder.layer1.W.device
            return torch.randn(shape, generator=generator, device=device)
        if tuple(noise.shape) != shape:
            raise ValueError(f"noise has the shape {tuple(noise.shape)}; expected {shape}.")
        return noise.float()  # rows are summed up in single precision, whatever the weights are


def _waves(buckets: Tensor, *, count: int, spread: int) -> tuple[Tensor, Tensor]:
    """Return (n, count) sines and cosines of (n,) buckets, from fast to 10,000 times slower."""
    slowness = torch.arange(count, device=buckets.device) * (-math.log(10_000.0) / spread)
    angles = buckets[:, None].float() * slowness.exp()
    return angles.sin(), angles.cos()


@lru_cache
def _beta_quantiles(alpha: float, beta: float, count: int = 4096) -> Tensor:
    """Return `count` equally likely values of the Beta distribution, lowest first.

    torch draws from a Beta with its global random numbers only, and NumPy's `Generator.beta` with a
    generator that no checkpoint of a training holds; looking a uniform number up here lets the
    caller say where the randomness comes from.
    """
    grid = (torch.arange(16 * count, dtype=torch.float64) + 0.5) / (16 * count)
    density = grid ** (alpha - 1) * (1 - grid) ** (beta - 1)
    reached = density.cumsum(0) / density.sum()
    wanted = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    return grid[torch.searchsorted(reached, wanted)].float()
