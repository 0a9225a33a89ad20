"""Draws every picture of the game in README and docs: runs the commands that `docs/art.md` lists.

Run `python examples/draw_readme.py [NAME ...]` from the repository's root, some minutes for all;
NAMEs are of pictures: stages skins figures effects ten_frames play video_layers side_by_side.
`--runs` keeps the episodes that are filmed.
"""

import argparse
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

IMAGES = "docs/images"
PLAYED = "-n 1 --seed 7 --max-steps 360"
SIDES = (
    "random",
    "planner",
)  # agents of the side-by-side film, as `arena-breaker rollout` takes them

COMMANDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **{
            name: (f"python examples/draw_{script}.py {IMAGES}/{name}.png",)
            for name, script in {
                "stages": "stages",
                "skins": "skins",
                "figures": "figures",
                "effects": "effects",
                "ten_frames": "frames",
                "play": "play",
            }.items()
        },
        "video_layers": (
            "arena-breaker rollout scripted -n 1 --seed 7 --stage 2 --max-steps 150"
            " --out RUNS/layers",
            "arena-breaker video RUNS/layers --gamepad --size 256 --fps 10"
            f" --out {IMAGES}/video_layers.gif",
        ),
        "side_by_side": (
            *(f"arena-breaker rollout {side} {PLAYED} --out RUNS/{side}" for side in SIDES),
            f"arena-breaker video RUNS/{SIDES[0]} RUNS/{SIDES[1]}"
            " --no-hud --gamepad --size 320 --fps 15"
            f' --label "{SIDES[0]}, kills {{kills}}" --label "{SIDES[1]}, kills {{kills}}"'
            f" --out {IMAGES}/side_by_side.gif",
        ),
    }
)


def command_line(command: str, runs: Path) -> list[str]:
    """The words of a command, run by this Python."""
    words = [word.replace("RUNS", str(runs)) for word in shlex.split(command)]
    programs = {"python": [], "arena-breaker": ["-m", "arena_breaker_gym"]}
    return [sys.executable, *programs[words[0]], *words[1:]]


def main() -> None:
    """Runs the commands, each after it is printed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=" ".join(COMMANDS))
    parser.add_argument("--runs", type=Path, help="a folder to keep episodes in")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(COMMANDS))
    if unknown:
        parser.error(f"there is no picture {unknown[0]!r}: choose from {', '.join(COMMANDS)}.")
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.names or COMMANDS:
            for command in COMMANDS[name]:
                print(command, flush=True)
                subprocess.run(command_line(command, options.runs or Path(scratch)), check=True)


if __name__ == "__main__":
    main()
