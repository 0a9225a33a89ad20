"""The tools that clients see: what each takes, in which units, and what it answers."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
from mcp.server.mcpserver import Context, Image
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field

from arena_breaker_gym.mcp_server.answers import Ending, Moment, Started, Turn
from arena_breaker_gym.mcp_server.games import LONGEST, Games
from arena_breaker_gym.rendering.picture import png_of

MOST_STEPS = 60  # of one call: two seconds at the standard pace
_USUAL_STEPS = 6
_LARGEST_SEED = 2**53 - 1  # the whole numbers that every client's JSON holds exactly

# Strict: a text or a truth value is no number, whatever it could be turned into.
Name = Annotated[str, Field(strict=True, description="The episode, as start_episode named it.")]
Steps = Annotated[int, Field(strict=True, ge=1, le=MOST_STEPS, description="Steps to play.")]


def _stick(meaning: str) -> Any:
    return Field(strict=True, ge=-1.0, le=1.0, allow_inf_nan=False, description=meaning)


def start_episode(
    ctx: Context[Games],
    seed: Annotated[
        int | None,
        Field(strict=True, ge=0, le=_LARGEST_SEED, description="Of all chance; null: any."),
    ] = None,
    stage: Annotated[
        int | None,
        Field(strict=True, ge=1, description="Stage to begin on, from 1; null: the first."),
    ] = None,
    max_steps: Annotated[
        int | None,
        Field(
            strict=True,
            ge=1,
            le=LONGEST,
            description="Steps after which it is cut off; null: as the server says.",
        ),
    ] = None,
) -> Annotated[CallToolResult, Started]:
    """Begins an episode and gives the name that all other tools ask for."""
    return _result(_games(ctx).start(seed=seed, stage=stage, max_steps=max_steps))


def get_snapshot(ctx: Context[Games], episode: Name) -> Annotated[CallToolResult, Moment]:
    """Reads the arena as JSON: player, enemies, projectiles, hazards, stage, wave, score."""
    return _result(_games(ctx).look(episode))


def get_frame(
    ctx: Context[Games],
    episode: Name,
    size: Annotated[
        Literal[64, 84, 96, 128, 256, 512] | None,
        Field(description="Side of the picture in pixels; null: as the server says."),
    ] = None,
    hud: Annotated[
        bool,
        Field(strict=True, description="Draw hp, score, stage and wave over it, for people."),
    ] = False,
) -> Image:
    """Shows the arena as a PNG, seen from above at an angle: x right, z down."""
    return Image(data=png_of(_games(ctx).draw(episode, size=size, hud=hud)), format="png")


def act(
    ctx: Context[Games],
    episode: Name,
    move_x: Annotated[float, _stick("Move stick: 1 is full speed right.")] = 0.0,
    move_z: Annotated[float, _stick("Move stick: 1 is full speed towards the viewer.")] = 0.0,
    aim_x: Annotated[float, _stick("Aim stick: right; from a length of 0.3 it fires.")] = 0.0,
    aim_z: Annotated[float, _stick("Aim stick: towards the viewer.")] = 0.0,
    dash: Annotated[bool, Field(strict=True, description="Dash along the move stick.")] = False,
    steps: Steps = _USUAL_STEPS,
) -> Annotated[CallToolResult, Turn]:
    """Holds the sticks so for some steps (1/30 s each by default) and tells what came of it.

    A stick longer than 1 is scaled to 1.
    """
    action = np.array([move_x, move_z, aim_x, aim_z, dash], dtype=np.float32)
    return _result(_games(ctx).act(episode, action, steps))


def end_episode(ctx: Context[Games], episode: Name) -> Annotated[CallToolResult, Ending]:
    """Gives up an episode: it is kept, but marked, so that it is never scored as play."""
    return _result(_games(ctx).end(episode))


_LOOKS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_PLAYS = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)

TOOLS: tuple[tuple[Callable[..., Any], ToolAnnotations], ...] = (
    (start_episode, _PLAYS),
    (get_snapshot, _LOOKS),
    (get_frame, _LOOKS),
    (act, _PLAYS),
    (end_episode, _PLAYS),
)


def _games(ctx: Context[Games]) -> Games:
    return ctx.request_context.lifespan_context


def _result(answer: Started | Moment | Turn | Ending) -> CallToolResult:
    """The answer both as a value and as compact text, which is what models pay for."""
    return CallToolResult(
        content=[TextContent(type="text", text=answer.model_dump_json())],
        structured_content=answer.model_dump(mode="json"),
    )
