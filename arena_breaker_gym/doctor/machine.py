"""Checks of the machine: display, gamepad, GPU, keys for models on servers, room on the disk."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from arena_breaker_gym.doctor.finding import FAULT, OK, WARNING, Finding

KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY")
SCARCE = 2 * 10**9  # bytes; a bootcamp's films and data sets need about half of it
TOO_LITTLE = 10**8


def check_display() -> Finding:
    """Whether a window could be opened."""
    from arena_breaker_gym.play.display import require_display

    try:
        require_display()
    except OSError as error:
        remedy = "Only `play` and render_mode='human' need a screen; on a server, use `video`."
        return Finding("display", WARNING, str(error), remedy)
    import pygame

    return Finding("display", OK, f"Windows open by SDL's driver {pygame.display.get_driver()}.")


def check_gamepad() -> Finding:
    """Which gamepads are plugged in; keyboard and mouse serve without."""
    import pygame

    pygame.joystick.init()
    names = [pygame.joystick.Joystick(i).get_name() for i in range(pygame.joystick.get_count())]
    if not names:
        return Finding("gamepad", OK, "None is plugged in; keyboard and mouse play as well.")
    return Finding("gamepad", OK, f"{', '.join(names)}.", details={"names": names})


def check_gpu() -> Finding:
    """Whether PyTorch sees a GPU; nothing but large models needs one."""
    try:
        import torch
    except ModuleNotFoundError:
        return Finding("gpu", OK, "PyTorch, which would use one, is not installed.")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Finding("gpu", OK, f"PyTorch sees {', '.join(names)}.", details={"names": names})
    return Finding("gpu", OK, "PyTorch sees none and computes on the CPU.")


def check_keys() -> Finding:
    """Which keys for models on servers are set; never what they are."""
    found = {name: os.environ[name] for name in KEYS if os.environ.get(name)}
    details: dict[str, Any] = {name: name in found for name in KEYS}
    odd = [name for name, key in found.items() if key != key.strip(" \t\r\n\"'")]
    if odd:
        words = f"{', '.join(odd)} begins or ends with a blank or a quotation mark."
        return Finding("api keys", WARNING, words, "Set it again without them.", details)
    if not found:
        words = f"None is set ({', '.join(KEYS)}); only claude and openai:MODEL need one."
        return Finding("api keys", OK, words, details=details)
    return Finding("api keys", OK, f"Set: {', '.join(found)}.", details=details)


def check_disk() -> Finding:
    """Whether there is room where runs and temporary files are written."""
    places = [Path.cwd(), Path(tempfile.gettempdir())]
    free = {str(place): shutil.disk_usage(place).free for place in places}
    place, least = min(free.items(), key=lambda one: one[1])
    words = f"{least / 1e9:.1f} GB are free in {place}."
    if least >= SCARCE:
        return Finding("disk", OK, words, details=free)
    status = WARNING if least >= TOO_LITTLE else FAULT
    return Finding("disk", status, words, "Make room, or name another place by --out.", free)
