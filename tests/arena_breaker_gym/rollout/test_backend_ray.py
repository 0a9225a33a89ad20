"""Episodes on Ray's workers: the same as here, whichever of them dies, and paid for once."""

import contextlib
import faulthandler
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

# Imported here, Ray would be so before it is told to be quiet.
if importlib.util.find_spec("ray") is None:
    pytest.skip("Ray is not installed", allow_module_level=True)

from arena_breaker_agents.baselines import RandomAgent
from arena_breaker_agents.nitrogen import NitroGenPolicy
from arena_breaker_agents.replay import ReplayAgent
from arena_breaker_agents.scripted import ScriptedBaseline
from arena_breaker_agents.tutor.ledger import Hold, LedgerServer, LocalLedger
from arena_breaker_agents.tutor.transcript import Transcript
from arena_breaker_agents.tutors import ClaudeTutor
from arena_breaker_gym.cli import main
from arena_breaker_gym.rollout import EpisodeStore, RunStopped, rollout
from arena_breaker_gym.rollout.backends import cluster, make_backend
from arena_breaker_gym.rollout.backends.ray_backend import RayBackend, WorkersLostError
from arena_breaker_gym.rollout.backends.worker import AgentSpec
from arena_breaker_gym.rollout.benchmark import BenchmarkConfig, benchmark
from arena_breaker_gym.settings import Settings
from nitrogen_adapter import NitroGen
from tests.arena_breaker_gym.rollout.test_rollout import Fragile, same
from tests.fake_apis import FakeApis
from tests.remote_agents import Broken, Doomed, Heavy, Load, Unsendable

KEY = "test-key-not-to-be-seen"
GONE_S = 20.0  # after its driver, for a cluster
LONGEST_S = 1200.0  # after which these tests are hung and end
SHORT = {"episodes": 6, "seed": 3, "max_steps": 60}


@pytest.fixture(scope="module")
def server():
    with FakeApis(key=KEY) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTHROPIC_API_KEY", KEY)
        patch.setenv("ANTHROPIC_BASE_URL", server.url)
        yield server


@pytest.fixture(scope="module")
def backend(server):  # a local cluster's workers have the environment in which it was started
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
        patch.setattr(cluster, "STORE_BYTES", 100 * 2**20)
        faulthandler.dump_traceback_later(LONGEST_S, exit=True)
        backend = RayBackend(workers=2)
        try:
            rollout(RandomAgent(), episodes=2, max_steps=5, backend=backend)
            yield backend
        finally:
            backend.close()
            faulthandler.cancel_dump_traceback_later()


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("episode_*"))}


def alike(left, right):
    return all(same(one, other) for one, other in zip(left, right, strict=True))


# The same as here


@pytest.mark.parametrize("num_envs", [None, 1])
def test_the_same_files_as_here(backend, tmp_path, num_envs):
    heard = []
    terms = {**SHORT, "episodes": 9, "stage": (1, 2, 3)}
    here = rollout(ScriptedBaseline(), recorder=EpisodeStore(tmp_path / "here"), **terms)
    there = rollout(
        ScriptedBaseline(),
        recorder=EpisodeStore(tmp_path / "there"),
        num_envs=num_envs,
        backend=backend,
        progress=heard.append,
        **terms,
    )
    assert alike(here, there)
    assert files_of(tmp_path / "here") == files_of(tmp_path / "there")
    assert (heard[-1].done, heard[-1].share) == (9, 1.0)
    assert heard[-1].steps == sum(map(len, there))


def test_a_student_plays_the_same_from_shared_weights(backend):
    model = NitroGen.preset("student", seed=1)
    terms = {
        "episodes": 3,
        "max_steps": 24,
        "num_envs": 1,
        "env": Settings(pixel_size=model.config.vision.image_size),
    }
    here = rollout(NitroGenPolicy(model, name="tiny"), **terms)
    there = rollout(NitroGenPolicy(model, name="tiny"), backend=backend, **terms)
    assert alike(here, there)


def test_snapshots_come_along(backend):
    terms = {"episodes": 2, "max_steps": 20, "keep_snapshots": True}
    here = rollout(ScriptedBaseline(), **terms)
    there = rollout(ScriptedBaseline(), backend=backend, **terms)
    assert [one.snapshots for one in here] == [one.snapshots for one in there]


def test_a_benchmark_gives_the_same_rows(backend):
    makers = {"scripted": ScriptedBaseline, "random": RandomAgent}
    terms = BenchmarkConfig(episodes=4, max_steps=60)
    assert benchmark(makers, terms, backend=backend).rows == benchmark(makers, terms).rows


def test_the_command_line_does_too(backend, monkeypatch, capsys):
    printed = []
    for more in ([], ["--backend", "ray", "--workers", "2"]):
        arguments = ["rollout", "scripted", "-n", "3", "--max-steps", "40", "--json", *more]
        monkeypatch.setattr(sys, "argv", ["arena-breaker", *arguments])
        monkeypatch.setattr(sys, "path", list(sys.path))
        # This process is connected already, so the command uses the cluster and leaves it.
        backend._shut_down()
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        printed.append(json.loads(capsys.readouterr().out))
    assert printed[0] == printed[1]


# Whatever happens


class Counting(EpisodeStore):
    """Counts what is written."""

    def __init__(self, folder):
        super().__init__(folder)
        self.saved = []

    def save(self, index, episode):
        self.saved.append(index)
        return super().save(index, episode)


def test_a_worker_that_is_killed_is_replaced_and_nothing_lost_or_counted_twice(
    backend, tmp_path, capfd
):
    terms = {**SHORT, "seed": 0, "episodes": 9}
    store = Counting(tmp_path / "there")
    agent = Doomed(tmp_path / "tally", times=1)
    there = rollout(agent, backend=backend, recorder=store, **terms)
    assert (tmp_path / "tally").read_text() == "x"
    assert alike(there, rollout(RandomAgent(), **terms))
    assert sorted(store.saved) == list(range(9))
    assert len(backend._pool.workers) == 2
    assert capfd.readouterr().out == ""  # where results are printed, Ray says nothing


def test_what_kills_every_worker_is_given_up_and_the_rest_is_kept(backend, tmp_path):
    store = Counting(tmp_path / "there")
    agent = Doomed(tmp_path / "tally", times=9)
    terms = {**SHORT, "seed": 0, "episodes": 8, "num_envs": 1}
    with pytest.raises(WorkersLostError, match=r"died 3 times over the episodes \[5"):
        rollout(agent, backend=backend, recorder=store, **terms)
    assert (tmp_path / "tally").read_text() == "xxx"
    assert set(store.saved) >= {0, 1, 2}
    mended = rollout(Doomed(tmp_path / "tally", times=0), recorder=store, **terms)
    assert alike(mended, rollout(RandomAgent(), **terms))
    assert sorted(store.saved) == list(range(8))


def test_a_stored_run_goes_on_with_another_backend(backend, tmp_path):
    store = Counting(tmp_path)
    plain = rollout(ScriptedBaseline(), **SHORT)
    for episodes, chosen in ((2, backend), (4, None), (6, backend), (6, backend)):
        terms = {**SHORT, "episodes": episodes}
        played = rollout(ScriptedBaseline(), recorder=store, backend=chosen, **terms)
    assert sorted(store.saved) == list(range(6))
    assert alike(played, plain)


def test_an_agents_own_failure_is_marked_once_and_not_tried_again(backend, tmp_path):
    store = Counting(tmp_path)
    terms = {"episodes": 6, "max_steps": 60}
    there = rollout(Fragile(), backend=backend, recorder=store, **terms)
    assert alike(there, rollout(Fragile(), **terms))
    assert [one.failed for one in there].count(True) == 2
    assert sorted(store.saved) == list(range(6))


def test_other_errors_are_not_hidden(backend):
    with pytest.raises(RuntimeError, match=r"^a bug\n") as raised:
        rollout(Broken(), backend=backend, **SHORT)
    assert "in act" in raised.value.__notes__[0]
    with pytest.raises(ValueError, match=r"cannot be sent to other .* method `agent_factory`"):
        rollout(Unsendable(), backend=backend, **SHORT)
    with pytest.raises(ValueError, match="play it with the local backend"):
        rollout(RandomAgent(), backend=backend, latency="measured", **SHORT)


# What is sent


def test_weights_are_shipped_once_and_each_worker_makes_one_agent(backend, tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    there = rollout(Heavy(made), backend=backend, num_envs=1, **{**SHORT, "episodes": 12})
    assert Load.pickled == 1
    assert len(list(made.iterdir())) == 2
    assert alike(there, rollout(RandomAgent(), **{**SHORT, "episodes": 12}))


def test_the_cluster_is_this_machines_own(backend):
    ray = cluster.import_ray()
    assert [node["NodeManagerAddress"] for node in ray.nodes()] == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"name": "rai"}, "There is no backend 'rai'; did you mean 'ray'"),
        ({"name": "local", "workers": 2}, "for the backend 'ray' only"),
        ({"name": "ray", "workers": 0}, "workers must be a whole number of at least 1"),
    ],
)
def test_what_cannot_be_is_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        make_backend(**arguments)


def test_more_workers_than_cpus_are_refused(backend):
    with pytest.raises(ValueError, match="3 workers need a CPU each, and the Ray cluster has 2"):
        rollout(RandomAgent(), backend=RayBackend(workers=3), **SHORT)


def test_a_cluster_that_is_not_there_is_named():
    script = (
        "from arena_breaker_agents.baselines import RandomAgent\n"
        "from arena_breaker_gym.rollout import rollout\n"
        "from arena_breaker_gym.rollout.backends.ray_backend import RayBackend\n"
        "rollout(RandomAgent(), episodes=1, backend=RayBackend(address='127.0.0.1:9'))\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert "There is no Ray cluster to be had at '127.0.0.1:9'." in done.stderr


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r'pip install "arena-breaker-gym\[ray\]"'):
        rollout(RandomAgent(), backend="ray", **SHORT)


# Money


def taught(folder=None, *, budget=None, **terms):
    tutor = ClaudeTutor(timeout=20.0)
    tutor.limit(budget)
    try:
        recorder = None if folder is None else EpisodeStore(folder)
        return rollout(tutor, recorder=recorder, **{**SHORT, **terms})
    finally:
        tutor.close()


def asked_since(server, before):
    return len([one for one in server.requests if one.path == "/v1/messages"]) - before


def test_a_tutor_asks_from_workers_and_keeps_one_transcript(backend, server, tmp_path):
    before = asked_since(server, 0)
    here = taught()
    alone = asked_since(server, before)
    there = taught(tmp_path, backend=backend)
    assert asked_since(server, before) == 2 * alone
    assert alike(here, there)
    lines = list(Transcript.find(tmp_path).lines)
    assert len({line.values["request_id"] for line in lines}) == len(lines) == alone
    assert not server.malformed
    replayed = rollout(ReplayAgent.from_source(str(tmp_path)), backend=backend, **SHORT)
    assert [one.final_hash for one in replayed] == [one.final_hash for one in there]
    logs = Path(cluster.import_ray()._private.worker._global_node.get_logs_dir_path())
    assert not any(KEY.encode() in path.read_bytes() for path in logs.rglob("*.*"))
    spec = AgentSpec.packed(ClaudeTutor())
    assert KEY.encode() not in spec.factory


def test_a_budget_holds_across_workers_and_a_resumed_run_pays_nothing_twice(
    backend, server, tmp_path
):
    before = asked_since(server, 0)
    plain = taught(tmp_path / "plain")
    alone = asked_since(server, before)
    cost = sum(line.values["dollars"] for line in Transcript.find(tmp_path / "plain").lines)
    limit = 0.6 * cost
    with pytest.raises(RunStopped, match="The budget of") as stopped:
        taught(tmp_path / "there", budget=limit, backend=backend)
    assert stopped.value.wanted
    lines = list(Transcript.find(tmp_path / "there").lines)
    assert 0.0 < sum(line.values["dollars"] for line in lines) <= limit
    assert asked_since(server, before) == alone + len(lines)  # every reply was written down
    there = taught(tmp_path / "there", backend=backend)
    assert alike(plain, there)
    assert asked_since(server, before) == 2 * alone


def test_what_a_dead_deputy_had_under_way_counts_at_its_most():
    ledger = LocalLedger(Transcript(None, heading={}), limit=1.0)
    ledger_server = LedgerServer(ledger, concurrency=4)
    assert ledger_server.handle_request(1, Hold(0, 0.4))
    assert not ledger_server.handle_request(2, Hold(0, 0.4))  # the first goes alone
    ledger_server.on_worker_lost(1)
    assert ledger.budget.spent == pytest.approx(0.4)
    assert ledger_server.handle_request(2, Hold(0, 0.4))
    ledger_server.on_worker_lost(2)
    with pytest.raises(RunStopped):
        ledger_server.handle_request(3, Hold(0, 0.4))


def test_batches_are_gathered_in_one_process(backend):
    with pytest.raises(ValueError, match="gathers its questions in batches"):
        rollout(ClaudeTutor(batch=True), backend=backend, **SHORT)


DRIVER = """
import os, sys, time
os.sched_getaffinity = lambda _: {0}
from arena_breaker_agents.baselines import RandomAgent
from arena_breaker_gym.rollout import rollout
from arena_breaker_gym.rollout.backends import cluster
from arena_breaker_gym.rollout.backends.ray_backend import RayBackend
cluster.STORE_BYTES = 80 * 2**20
ray = cluster.import_ray()

def wait(*_, **__):
    print(ray._private.worker._global_node.get_session_dir_path(), flush=True)
    time.sleep(600)

init = ray.init
if "early" in sys.argv:
    ray.init = lambda **more: (init(**more), wait())
rollout(RandomAgent(), episodes=1, max_steps=5, backend=RayBackend(workers=1))
wait()
"""


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("when", ["early", "late"])  # as its cluster has just started, or played
def test_a_cluster_is_gone_soon_after_its_driver_is_killed(when):
    def of_session():
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                files = [str(file.readlink()) for file in (process / "fd").iterdir()]
                if any(file.startswith(session) for file in files):
                    found[process.name] = (process / "comm").read_text().strip()
        found.pop(str(os.getpid()), None)
        return found

    command = [sys.executable, "-c", DRIVER, when]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as driver:
        session = driver.stdout.readline().decode().strip()
        if not session:
            pytest.skip("Ray's cluster did not start: it gives up on a machine that is too busy")
        with Path(session, "logs", "raylet.out").open():  # readers, as this process, are left alone
            before = of_session()
            driver.kill()
            until = time.monotonic() + GONE_S
            while (left := of_session()) and time.monotonic() < until:
                time.sleep(0.2)
    assert len(before) > 4  # the head, its helpers, agents and a worker
    assert left == {}
    shutil.rmtree(session)


def test_a_temporary_folder_too_long_for_sockets_is_named(tmp_path):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    command = ["rollout", "idle", "-n", "1", "--max-steps", "5", "--backend", "ray"]
    surroundings = {name: one for name, one in os.environ.items() if name != "RAY_TMPDIR"}
    done = subprocess.run(
        [sys.executable, "-m", "arena_breaker_gym", *command],
        env=surroundings | {"TMPDIR": str(long)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: The folder for temporary files, {long}, has too long")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Exception("The current node timed out"), "Ray's cluster did not start: it gives up"),
        (RuntimeError("The GCS is gone"), "Ray's cluster did not start: it gives up"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_a_cluster_that_does_not_start_is_said_in_a_sentence(monkeypatch, error, said):
    ray = cluster.import_ray()

    def fail(**options):
        raise error

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", fail)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with pytest.raises(OSError, match=said) as refusal:
        cluster.Cluster(None, store=cluster.STORE_BYTES)
    assert "\n" not in str(refusal.value)
