"""Tasks in processes of their own: all are done, failures are told, none outlives its caller."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from arena_breaker_gym._runtime.pools import ProcessEndedError, work_side_by_side
from arena_breaker_gym.settings import Settings


def note(path: Path, report) -> None:
    """Writes down which process did it."""
    report(0.5)
    path.write_text(str(os.getpid()))
    time.sleep(0.3)  # so that the other process finds one left


def say_much(path: Path, report) -> None:
    sys.stdout.write("what a task prints is no message")
    path.write_text(os.environ["OMP_NUM_THREADS"])


def refuse(report) -> None:
    Settings(pixel_size=1)


def die(report) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def linger(path: Path, report) -> None:
    path.write_text(str(os.getpid()))
    while True:
        report(0.1)
        time.sleep(0.05)


def test_each_task_is_done_once_by_one_of_several_processes_and_progress_rises_to_one(tmp_path):
    shares = []
    tasks = [partial(note, tmp_path / str(number)) for number in range(4)]
    work_side_by_side(tasks, processes=2, progress=shares.append)
    done_by = [int((tmp_path / str(number)).read_text()) for number in range(4)]
    assert len(set(done_by)) == 2 and os.getpid() not in done_by
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_a_process_has_as_many_threads_as_it_was_given_and_may_print(tmp_path):
    work_side_by_side([partial(say_much, tmp_path / "said")], processes=1, threads=3)
    assert (tmp_path / "said").read_text() == "3"


def test_what_a_task_raises_is_raised_with_a_note_of_where(tmp_path):
    tasks = [refuse, partial(linger, tmp_path / "other")]
    with pytest.raises(ValueError, match="pixel_size") as raised:
        work_side_by_side(tasks, processes=2)
    assert "Raised in process" in raised.value.__notes__[0]


def test_a_process_that_was_killed_is_said():
    with pytest.raises(ProcessEndedError, match=r"ended before its work was done \(exit status -9"):
        work_side_by_side([die], processes=1)


def test_what_cannot_be_sent_is_refused_before_anything_begins(tmp_path):
    tasks = [partial(note, tmp_path / "never"), lambda report: None]
    with pytest.raises(ValueError, match="cannot be sent to other processes"):
        work_side_by_side(tasks, processes=2)
    assert not (tmp_path / "never").exists()


def test_an_interruption_ends_the_processes(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        work_side_by_side([partial(linger, tmp_path / "pid")], processes=1, progress=interrupt)
    assert_ends(int((tmp_path / "pid").read_text()))


def interrupt(share: float) -> None:
    raise KeyboardInterrupt


SCRIPT = """
import sys
from functools import partial
from pathlib import Path
from arena_breaker_gym._runtime.pools import work_side_by_side
from tests.arena_breaker_gym._runtime.test_processes import linger

work_side_by_side([partial(linger, Path(sys.argv[1]))], processes=1)
"""


def test_processes_end_with_a_script_that_is_killed_and_has_no_guard(tmp_path):
    script, told = tmp_path / "script.py", tmp_path / "pid"
    script.write_text(SCRIPT)
    paths = os.pathsep.join(sys.path)
    with subprocess.Popen(
        [sys.executable, script, told], env={**os.environ, "PYTHONPATH": paths}
    ) as process:
        wait_until(lambda: told.exists() and told.read_text() != "")
        process.kill()
    assert_ends(int(told.read_text()))


def assert_ends(pid: int) -> None:
    wait_until(lambda: not alive(pid))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(true) -> None:
    until = time.monotonic() + 30.0
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)
