"""`VirtualScreen`: a screen without a monitor, whose pixels, keys and mouse belong to a test."""

import contextlib
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path

import numpy as np

TOOLS = ("Xvfb", "xdotool")
WINDOW_MANAGER = (
    "openbox"  # without one no window is framed, resized or full screen as on a desktop
)
PATIENCE_S = 180.0  # the first window of a machine waits for compilers, perhaps on a busy one
_LOOK_S = 0.02  # between two looks at the screen: a program there tells nobody when it has drawn


def missing_tools(tools=TOOLS):
    """The programs that are not installed."""
    return [tool for tool in tools if shutil.which(tool) is None]


class VirtualScreen:
    """Xvfb on a free display; use it as a context."""

    def __init__(self, folder: Path, *, width=800, height=800):
        self.folder = folder
        self.shape = (height, width)

    def __enter__(self):
        reader, writer = os.pipe()
        size = f"{self.shape[1]}x{self.shape[0]}x24"
        command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", size]
        command += ["-fbdir", str(self.folder), "-nolisten", "tcp", "-noreset"]
        self.process = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
        os.close(writer)
        with os.fdopen(reader) as file:
            self.display = f":{file.readline().strip()}"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    @property
    def environment(self):
        """What a program needs to show itself here."""
        return {**os.environ, "DISPLAY": self.display, "SDL_VIDEODRIVER": "x11"}

    def do(self, *words):
        """Handles keyboard and mouse, in xdotool's words."""
        subprocess.run(["xdotool", *map(str, words)], env=self.environment, check=True)

    @contextlib.contextmanager
    def managed(self):
        """A desktop's window manager, for as long as the context lasts."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        manager = subprocess.Popen([WINDOW_MANAGER], env=self.environment, **quiet)
        try:
            yield
        finally:
            manager.terminate()
            manager.wait()

    def window_size(self):
        """Width and height of the window that has the keyboard; None: there is none."""
        command = ["xdotool", "getactivewindow", "getwindowgeometry", "--shell"]
        run = subprocess.run(
            command, env=self.environment, check=False, capture_output=True, text=True
        )
        told = dict(line.split("=") for line in run.stdout.split())
        return (int(told["WIDTH"]), int(told["HEIGHT"])) if run.returncode == 0 else None

    def pixels(self):
        """What is on the screen: (height, width, 3) uint8, RGB."""
        data = (self.folder / "Xvfb_screen0").read_bytes()  # the format of xwd
        header = struct.unpack(">25I", data[:100])
        size, bits, stride, colours = header[0], header[11], header[12], header[19]
        assert bits == 32
        begin = size + 12 * colours
        height, width = self.shape
        rows = np.frombuffer(data, np.uint8, height * stride, begin).reshape(height, stride // 4, 4)
        return rows[:, :width, 2::-1]

    def wait_until(self, shown, what):
        """Looks until `shown(pixels)` is true, and returns those pixels."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            pixels = self.pixels()
            if shown(pixels):
                return pixels
            time.sleep(_LOOK_S)
        raise AssertionError(f"Not seen within {PATIENCE_S:.0f} s: {what}.")
