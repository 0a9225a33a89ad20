"""`VirtualGamepad`: a gamepad out of SDL's own workshop, plugged into this process."""

import contextlib
import ctypes
from pathlib import Path

_GAMEPAD = 1  # SDL_JOYSTICK_TYPE_GAMECONTROLLER
_STRANGER = 0  # SDL_JOYSTICK_TYPE_UNKNOWN
FULL = 32767


def _sdl():
    """The SDL that pygame has loaded into this process; None if it cannot be found."""
    with contextlib.suppress(OSError, StopIteration):
        maps = Path("/proc/self/maps").read_text().splitlines()
        return ctypes.CDLL(next(line.split()[-1] for line in maps if "libSDL2-2" in line))
    return None


class VirtualGamepad:
    """A gamepad that a test plugs in, handles and pulls out."""

    def __init__(self, *, known=True, axes=6, buttons=15):
        self.sdl = _sdl()
        if self.sdl is None or not hasattr(self.sdl, "SDL_JoystickAttachVirtual"):
            raise LookupError("pygame's SDL cannot be found or knows no virtual gamepads")
        self.sdl.SDL_JoystickOpen.restype = ctypes.c_void_p
        kind = _GAMEPAD if known else _STRANGER
        self.index = self.sdl.SDL_JoystickAttachVirtual(kind, axes, buttons, 0 if known else 1)
        self.stick = ctypes.c_void_p(self.sdl.SDL_JoystickOpen(self.index))
        self.plugged = True

    def push(self, axis, value):
        """Moves an axis to -1 … 1."""
        number = ctypes.c_int16(round(value * FULL))
        self.sdl.SDL_JoystickSetVirtualAxis(self.stick, axis, number)

    def press(self, button, down=True):
        self.sdl.SDL_JoystickSetVirtualButton(self.stick, button, ctypes.c_uint8(down))

    def pull_out(self):
        if self.plugged:
            self.plugged = False
            self.sdl.SDL_JoystickClose(self.stick)
            self.sdl.SDL_JoystickDetachVirtual(self.index)
