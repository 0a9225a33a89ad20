"""`Clip`: a game being filmed by a process of its own, while the window lives on.

Run as a program, this file is that process: it films an episode as `arena-breaker video` does,
and writes on standard output what share is done.
"""

import os
import shlex
import subprocess
import sys
import threading
from pathlib import Path

_WHY = 200  # letters of a reason that a line of the window has room for


def command_for(episode: Path) -> str:
    """The command that films an episode, as it can be pasted into a shell."""
    words = ["arena-breaker", "video", str(episode)]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


class Clip:
    """A film that is being made.

    Attributes:
        episode: The file that is filmed.
        film: The file that will be there once it is done.
    """

    def __init__(self, episode: Path) -> None:
        """Begins to film; the film comes to stand beside the episode."""
        self.episode = episode
        self.film = episode.with_suffix(".mp4")
        self._share = 0.0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "arena_breaker_gym.play.clip", str(episode), str(self.film)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C in the terminal is for the game, which asks again
        )
        self._complaint = ""
        self._readers = [
            threading.Thread(target=read, daemon=True) for read in (self._follow, self._hear)
        ]
        for reader in self._readers:
            reader.start()

    @property
    def under_way(self) -> bool:
        """Whether it is still being made."""
        return self._process.poll() is None or any(one.is_alive() for one in self._readers)

    @property
    def done(self) -> bool:
        """Whether the film is there."""
        return not self.under_way and self._process.returncode == 0

    @property
    def words(self) -> str:
        """How it stands, in a line."""
        if self.under_way:
            return f"Making the clip … {100 * self._share:.0f} %"
        if self.done:
            return f"Clip: {self.film}"
        return f"No clip: {self._complaint or 'the film-maker was stopped.'}"

    def wait(self) -> None:
        """Waits until it is done or has failed; whatever interrupts this, ends it."""
        try:
            self._end()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Gives it up, if it is still under way: no half a film stays."""
        self._let_go()
        self._end()

    def _end(self) -> None:
        self._process.wait()
        for reader in self._readers:
            reader.join()

    def _let_go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def _follow(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as shares:
            for line in shares:
                self._share = float(line)
        self._let_go()

    def _hear(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as said:
            lines = [" ".join(line.split()) for line in said if line.strip()]
        self._complaint = lines[-1].removeprefix("Error: ")[:_WHY] if lines else ""


def _film(episode: Path, film: Path) -> None:
    """Films an episode, says how far it is, and gives up once standard input is closed.

    It gives up between two frames, never within one, so that no half film stays.
    """
    from arena_breaker_gym.rollout.store import load_episode
    from arena_breaker_gym.rollout.video import export_video

    given_up = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=[given_up], daemon=True).start()

    def say(share: float) -> None:
        if given_up.is_set():
            sys.exit(1)
        sys.stdout.write(f"{share:.3f}\n")
        sys.stdout.flush()

    export_video(load_episode(episode), film, progress=say)


def _wait_for_the_end(given_up: threading.Event) -> None:
    while os.read(0, 1):  # past Python's own reader, which must not be left blocked at an exit
        pass
    given_up.set()


def _main() -> None:
    try:
        _film(Path(sys.argv[1]), Path(sys.argv[2]))
    except (ValueError, ImportError, OSError) as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    _main()
