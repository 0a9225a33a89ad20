"""The tools that clients see: what each takes, in which units, and what it answers."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
from mcp.server.mcpserver import Context, Image
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field

from arena_breaker_gym._runtime.json_file import AS_NUMBER, AS_TRUTH, AS_WHOLE
from arena_breaker_gym.mcp_server.games import LONGEST, Ending, Games, Moment, Started, Turn
from arena_breaker_gym.rendering.frames import png_of

MOST_STEPS = 60  # of one call: two seconds at the standard pace
_USUAL_STEPS = 6
SIZES = [64, 84, 96, 128, 256, 512]
_LARGEST_SEED = 2**53 - 1  # the whole numbers that every client's JSON holds exactly

Name = Annotated[str, Field(strict=True, description="The episode, as start_episode named it.")]
Steps = Annotated[
    int, Field(strict=True, ge=1, le=MOST_STEPS, description="Steps to play."), AS_WHOLE
]


def _stick(meaning: str) -> Any:
    return Field(strict=True, ge=-1.0, le=1.0, allow_inf_nan=False, description=meaning)


MoveX = Annotated[float, _stick("Move stick: 1 is full speed right."), AS_NUMBER]
MoveZ = Annotated[float, _stick("Move stick: 1 is full speed towards the viewer."), AS_NUMBER]
AimX = Annotated[float, _stick("Aim stick: right; from a length of 0.3 it fires."), AS_NUMBER]
AimZ = Annotated[float, _stick("Aim stick: towards the viewer."), AS_NUMBER]
Dash = Annotated[bool, Field(strict=True, description="Dash along the move stick."), AS_TRUTH]


def _optional(description: str, **schema: Any) -> Any:
    """A whole number that may be left out, or null, without a schema that says so.

    Some clients know no unions: they send text for whatever may be a number or null. So the
    schema is a plain integer's, without the default that is none.
    """

    def plain(told: dict[str, Any]) -> None:
        told.pop("anyOf", None)
        told.pop("default", None)
        told.update(type="integer", **schema)

    return Field(description=description, json_schema_extra=plain)


Seed = Annotated[int, Field(strict=True, ge=0, le=_LARGEST_SEED), AS_WHOLE]
Stage = Annotated[int, Field(strict=True, ge=1), AS_WHOLE]
MaxSteps = Annotated[int, Field(strict=True, ge=1, le=LONGEST), AS_WHOLE]
Size = Annotated[Literal[64, 84, 96, 128, 256, 512], AS_WHOLE]


def start_episode(
    ctx: Context[Games],
    seed: Annotated[
        Seed | None,
        _optional("Of all chance; left out: any.", minimum=0, maximum=_LARGEST_SEED),
    ] = None,
    stage: Annotated[
        Stage | None, _optional("Stage to begin on, from 1; left out: the first.", minimum=1)
    ] = None,
    max_steps: Annotated[
        MaxSteps | None,
        _optional(
            "Steps after which it is cut off; left out: as the server says.",
            minimum=1,
            maximum=LONGEST,
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
        Size | None,
        _optional("Side of the picture in pixels; left out: as the server says.", enum=SIZES),
    ] = None,
    hud: Annotated[
        bool,
        Field(strict=True, description="Draw hp, score, stage and wave over it, for people."),
        AS_TRUTH,
    ] = False,
) -> Image:
    """Shows the arena as a PNG, seen from above at an angle: x right, z down."""
    return Image(data=png_of(_games(ctx).draw(episode, size=size, hud=hud)), format="png")


def act(
    ctx: Context[Games],
    episode: Name,
    move_x: MoveX = 0.0,
    move_z: MoveZ = 0.0,
    aim_x: AimX = 0.0,
    aim_z: AimZ = 0.0,
    dash: Dash = False,
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
