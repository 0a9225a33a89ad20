"""The Claude tutor against a server that speaks the Messages API: nothing lost or paid twice."""

import collections
import dataclasses
import json
import logging
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from types import MappingProxyType

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from arena_breaker_agents.registry import make_agent
from arena_breaker_agents.replay import ReplayAgent
from arena_breaker_agents.tutor.batches import BatchClient
from arena_breaker_agents.tutor.bill import Bill, Prices
from arena_breaker_agents.tutor.claude import ClaudeClient
from arena_breaker_agents.tutor.llm_client import Response
from arena_breaker_agents.tutor.prompt import DEFAULT_VERSION, VERSIONS
from arena_breaker_agents.tutor.transcript import Transcript, TranscriptError
from arena_breaker_agents.tutor.tutor import Tutor, TutorSettings
from arena_breaker_agents.tutors import ClaudeTutor, estimate
from arena_breaker_gym.bootcamp.bootcamp import Bootcamp
from arena_breaker_gym.cli import build, main
from arena_breaker_gym.rollout import EpisodeStore, RunStopped, rollout, verify
from arena_breaker_gym.rollout.episode import Plan
from arena_breaker_gym.rollout.metrics import rows_of
from arena_breaker_gym.settings import Settings
from nitrogen_adapter.data.dataset import ChunkSettings, build_examples
from tests import ROOT
from tests.arena_breaker_gym.rollout.test_rollout import same
from tests.fake_apis import UNUSABLE, FakeApis, Nimble, Script, Share

KEY = "test-key-not-to-be-seen"
DEMONSTRATIONS = {"episodes": 17, "seed": 0, "stage": (1, 2, 3), "max_steps": 150}
SHORT = {"episodes": 4, "seed": 0, "max_steps": 60}


@pytest.fixture
def server(monkeypatch):
    with FakeApis(key=KEY) as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        yield server


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command line in this process, as if it were one of its own."""

    def call(*arguments):
        words = ["arena-breaker", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", words)
        monkeypatch.setattr(sys, "path", list(sys.path))
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(words, int(ended.value.code or 0), out, err)

    return call


def play(folder=None, *, tutor=None, timeout=10.0, settings=None, **terms):
    """Plays with a tutor of its own and closes it; returns the episodes."""
    tutor = tutor or ClaudeTutor(settings=settings, timeout=timeout)
    try:
        recorder = None if folder is None else EpisodeStore(folder)
        return rollout(tutor, recorder=recorder, **{**SHORT, **terms})
    finally:
        tutor.close()


def lines_of(place):
    return list(Transcript.find(place).lines)


def questions(server):
    return [one for one in server.requests if one.path == "/v1/messages"]


def decisions_of(episodes, *, hold=6):
    return sum(-(-len(one) // hold) for one in episodes)


# Recording


def test_seventeen_episodes_over_three_stages_are_recorded(server, tmp_path):
    episodes = play(tmp_path, **DEMONSTRATIONS)
    assert not server.malformed
    assert [one.stage for one in episodes] == [1 + index % 3 for index in range(17)]
    assert not any(one.failed for one in episodes)
    assert {one.agent for one in episodes} == {f"claude-opus-4-8, prompt {DEFAULT_VERSION}"}
    assert sum(one.metrics["kills"] for one in episodes) > 17
    for one in EpisodeStore(tmp_path):
        verify(one)
    lines = lines_of(tmp_path)
    assert len(questions(server)) == len(lines) == decisions_of(episodes)
    by_request = {one.request_id: one for one in questions(server)}
    assert len(by_request) == len(lines)
    for line in lines:  # each line is one request's, with what it cost
        record = by_request[line.values["request_id"]]
        assert line.values["usage"]["output"] == record.usage["output_tokens"]
        assert line.values["usage"]["cache_read"] == record.usage["cache_read_input_tokens"]
    bill = Bill.of(lines)
    assert bill.hit_rate > 0.75
    assert bill.dollars == pytest.approx(sum(line.values["dollars"] for line in lines))
    assert build_examples(episodes[:3], ChunkSettings(stride=30), size=64)


def test_the_same_game_whatever_the_batch(server):
    alone = play(num_envs=1)
    for num_envs in (2, 4):
        together = play(num_envs=num_envs)
        assert all(same(left, right) for left, right in zip(alone, together, strict=True))


def test_every_question_holds_the_snapshot_and_a_bounded_past(server, tmp_path):
    play(tmp_path, episodes=1)
    lines = lines_of(tmp_path)
    for number, (record, line) in enumerate(zip(questions(server), lines, strict=True)):
        *earlier, now = (block["text"] for block in record.body["messages"][0]["content"])
        assert json.loads(now.removeprefix("Now:\n")) == line.snapshot
        assert min(number, 2) <= len(earlier) <= 4
        if earlier:
            last = json.loads(earlier[-1].removeprefix("Earlier:\n"))
            assert last == {
                "seen": lines[number - 1].snapshot,
                "answered": lines[number - 1].answer,
            }


def test_a_plan_of_several_moves_is_played_to_its_end(server, tmp_path):
    server.policy = Nimble()
    [episode] = play(tmp_path, episodes=1)
    lines = lines_of(tmp_path)
    held = [[move["hold"] for move in line.answer["plan"]] for line in lines]
    assert {len(plan) for plan in held} == {2, 3}
    starts = np.cumsum([0, *map(sum, held)])[: len(lines)]
    assert [line.values["step"] for line in lines] == starts.tolist()
    sticks = [
        move["move"] for line in lines for move in line.answer["plan"] for _ in range(move["hold"])
    ]
    played = [(one["x"], one["z"]) for one in sticks][: len(episode)]
    np.testing.assert_allclose(episode.actions[:, :2], played, atol=2e-3)


def test_a_decision_is_held_for_as_many_steps_as_one_likes(server):
    server.policy.hold = 12
    episodes = play(settings=TutorSettings(decision_steps=12))
    assert len(questions(server)) == decisions_of(episodes, hold=12)
    assert episodes[0].agent == f"claude-opus-4-8, prompt {DEFAULT_VERSION}, decision_steps 12"


# Many at once


def test_arenas_are_asked_at_once_and_none_waits_for_another(server):
    server.gate = threading.Event()
    tutor = ClaudeTutor()
    playing = threading.Thread(target=play, kwargs={"tutor": tutor, "episodes": 16})
    playing.start()
    assert server.wait_for_requests(1)
    time.sleep(0.05)
    assert server.most_at_once == 1  # the first goes alone and fills the cache
    server.gate.set()
    assert server.ledger.wait_until(lambda at_once, _: at_once != 1, timeout=10.0)
    server.gate.clear()
    assert server.wait_for_requests(16)  # nobody is answered, and yet all have asked
    server.gate.set()
    playing.join()
    assert sum(one.usage["cache_creation_input_tokens"] > 2000 for one in questions(server)) == 1


def test_no_more_questions_are_under_way_than_allowed(server):
    server.delay = 0.005
    play(episodes=8, settings=TutorSettings(concurrency=3))
    assert server.most_at_once == 3


def test_a_game_that_does_not_wait_is_played_too(server):
    [waited] = play(episodes=1, latency=12)
    assert waited.metrics["latency_ticks"] == 12
    assert waited.metrics["looks"] == len(questions(server))
    assert 3 < waited.metrics["looks"] <= 60 // 12 + 1


# Faults


def test_whatever_goes_wrong_the_same_episodes_come_or_are_marked(server, tmp_path):
    plain = play(**DEMONSTRATIONS)
    server.faults = Share(0.15, seed=3)
    episodes = play(tmp_path, timeout=0.4, **DEMONSTRATIONS)
    assert not server.malformed
    seen = {one.fault for one in questions(server)} - {None}
    assert len(seen) > 15  # of all kinds
    assert len(episodes) == 17
    lost = [one for one in episodes if one.failed]
    assert 0 < len(lost) < 17
    for one, other in zip(episodes, plain, strict=True):
        if not one.failed:
            assert same(one, other)
        else:  # up to where it was lost, it is the same episode
            assert np.array_equal(one.actions, other.actions[: len(one)])
    rows = rows_of("claude", episodes)
    assert sum(row["status"].get("agent failed", 0) for row in rows) == len(lost)
    reasons = collections.Counter(one.reason for one in lost)
    told = sum(
        (collections.Counter(row.get("failures", {})) for row in rows), collections.Counter()
    )
    assert told == reasons
    kept = {line.values["request_id"] for line in lines_of(tmp_path)}
    answered = {one.request_id for one in questions(server)[decisions_of(plain) :] if one.usage}
    assert answered <= kept  # every reply that was paid for is written down


def test_failed_episodes_stand_in_no_mean_and_teach_nobody(server):
    server.faults = Script({5: "refusal"})
    episodes = play(num_envs=1)
    assert [one.status for one in episodes] == ["agent failed", *["time limit"] * 3]
    assert episodes[0].reason == "the model declined to answer"
    [row] = rows_of("claude", episodes)
    assert row["status"] == {"time limit": 3, "agent failed": 1}
    played = [one.metrics["kills"] for one in episodes[1:]]
    assert row["kills"]["mean"] == pytest.approx(np.mean(played), abs=1e-6)
    chunks = ChunkSettings(stride=10)
    with_it, _ = build_examples(episodes, chunks, size=64)
    without, _ = build_examples(episodes[1:], chunks, size=64)
    assert len(with_it) == len(without)


@pytest.mark.parametrize(
    "fault", [name for name in UNUSABLE if name not in ("refusal", "truncated_json")]
)
def test_an_unusable_answer_is_told_and_asked_for_again(server, tmp_path, fault):
    plain = play(episodes=1)
    server.ledger.requests.clear()
    server.faults = lambda number: fault if len(questions(server)) == 3 else None
    [episode] = play(tmp_path, episodes=1)
    assert same(episode, plain[0])
    lines = [line for line in lines_of(tmp_path) if line.decision == 2]
    assert [line.answered for line in lines] == [False, True]
    assert lines[0].values["outcome"] == ("cut" if fault == "max_tokens" else "unusable")
    assert lines[0].values["dollars"] > 0.0
    again = questions(server)[3].body["messages"][0]["content"]
    assert f"Your last answer to this was not usable: {lines[0].problem}" in again[-1]["text"]


def test_a_decision_that_is_never_usable_is_lost_and_never_made_up(server, tmp_path):
    server.faults = Script(dict.fromkeys(range(4, 100), "no_call"))
    [episode] = play(tmp_path, episodes=1)
    assert (episode.status, episode.reason) == ("agent failed", "there was no call of the tool")
    assert len(episode) == 18  # three decisions were had
    assert len(questions(server)) == 3 + 1 + TutorSettings().repairs


def test_lost_decisions_are_asked_for_again_when_one_likes(server, tmp_path):
    plain = play()
    server.faults = Script({len(questions(server)) + 9: "refusal"})
    assert sum(one.failed for one in play(tmp_path)) == 1
    server.faults = None
    asked = len(questions(server))
    assert sum(one.failed for one in play(tmp_path)) == 1
    assert len(questions(server)) == asked
    mended = play(tmp_path, retry_failed=True)
    assert all(same(left, right) for left, right in zip(mended, plain, strict=True))
    assert len(questions(server)) - asked < 10  # only what was not answered before


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("authentication", "ANTHROPIC_API_KEY"),
        ("billing", "credit"),
        ("permission", "403"),
        ("not_found", "claude-opus-4-8"),
    ],
)
def test_what_no_other_question_would_mend_stops_the_run(server, tmp_path, fault, words):
    server.faults = lambda number: fault if number > 12 else None
    with pytest.raises(RunStopped) as stop:
        play(tmp_path, num_envs=1)
    assert words in str(stop.value)
    assert "\n" not in str(stop.value)
    assert not stop.value.wanted
    assert len(questions(server)) == 13
    assert [one.failed for one in stop.value.episodes] == [False]
    server.faults = None
    assert len(play(tmp_path, num_envs=1)) == 4  # it goes on from there
    assert len(questions(server)) == 13 + 40 - 12


def test_the_key_is_nowhere(server, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    server.faults = Share(0.2, seed=1, among=("rate_limit", "internal_error", "no_call"))
    tutor = ClaudeTutor()
    play(tmp_path, tutor=tutor, episodes=2)
    assert "decisions in" in caplog.text  # the bill is logged
    assert KEY not in caplog.text
    assert KEY not in repr(vars(tutor))
    for path in tmp_path.rglob("*"):
        assert KEY.encode() not in path.read_bytes()


def test_without_a_key_one_sentence_says_what_to_set(monkeypatch):
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="ANTHROPIC_API_KEY"):
        play(episodes=1)


# Money


def test_a_budget_is_never_passed_and_the_run_goes_on_with_more(server, tmp_path):
    plain = play(tmp_path / "plain")
    whole = Bill.of(lines_of(tmp_path / "plain")).dollars
    folder = tmp_path / "bound"
    with pytest.raises(RunStopped, match="does not reach for another question") as stop:
        play(folder, settings=TutorSettings(budget=0.6 * whole))
    assert stop.value.wanted
    spent = Bill.of(lines_of(folder)).dollars
    assert 0.6 * whole - 0.08 < spent <= 0.6 * whole  # 8 cents is what one might cost at most
    with pytest.raises(RunStopped):  # what was spent before counts
        play(folder, settings=TutorSettings(budget=0.6 * whole))
    assert Bill.of(lines_of(folder)).dollars <= 0.6 * whole
    done = play(folder, settings=TutorSettings(budget=2.0 * whole))
    assert all(same(left, right) for left, right in zip(done, plain, strict=True))
    assert len(questions(server)) == 2 * decisions_of(plain)  # none was asked twice


def test_a_budget_needs_a_price(server, tmp_path):
    mine = ClaudeTutor("claude-mythos-5", settings=TutorSettings(budget=1.0))
    with pytest.raises(ValueError, match="price of 'claude-mythos-5' is not known"):
        play(tutor=mine)
    kinds = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
    price = dict.fromkeys(kinds, 1.0)
    (tmp_path / "prices.json").write_text(json.dumps({"models": {"claude-mythos-5": price}}))
    settings = TutorSettings(budget=1.0, prices=str(tmp_path / "prices.json"))
    play(tmp_path / "run", tutor=ClaudeTutor("claude-mythos-5", settings=settings), episodes=1)
    line = lines_of(tmp_path / "run")[0]
    assert line.values["dollars"] == pytest.approx(1e-6 * _all_tokens(line.values["usage"]))


def _all_tokens(usage):
    return sum(count for name, count in usage.items() if name != "batch")


def test_an_estimate_asks_nobody_and_is_about_right(server, tmp_path):
    plan = Plan(agent="claude", settings=Settings(), seed=0, stages=(1,), max_steps=60)
    found = estimate(ClaudeTutor(), plan, episodes=4)
    assert not server.requests
    episodes = play(tmp_path)
    bill = Bill.of(lines_of(tmp_path))
    assert found.most_decisions == decisions_of(episodes) == bill.decisions
    assert 0.7 < found.most_dollars / bill.dollars < 1.8


# Killed and resumed

PROGRAM = [sys.executable, "-m", "arena_breaker_gym"]
PLAYED = ["-n", "3", "--max-steps", "120", "--num-envs", "3"]


def test_a_killed_run_asks_only_what_was_not_answered(server, tmp_path, run):
    server.delay = 0.02
    folder = tmp_path / "run"
    order = ["rollout", "--agent", "claude", *PLAYED, "--out", str(folder)]
    with started(order) as killed:
        _wait_until(lambda: len(questions(server)) > 25)
        os.kill(killed.pid, signal.SIGKILL)
    _wait_until(lambda: server.ledger.content() and not server.ledger._at_once)
    before = len(questions(server))
    answered = sum(line.answered for line in lines_of(folder))
    assert before - 3 <= answered < 60
    done = run(*order, "--json")
    assert done.returncode == 0, done.stderr
    assert len(questions(server)) - before == 60 - answered
    episodes = list(EpisodeStore(folder))
    plain = play(episodes=3, max_steps=120)
    assert all(same(left, right) for left, right in zip(episodes, plain, strict=True))
    result = json.loads(done.stdout)
    assert result["cost"]["decisions"] == 60  # those of before the kill included
    assert [bill["decisions"] for bill in result["cost"]["by_seed"].values()] == [20, 20, 20]
    assert result["stopped"] is None


def started(order):
    """A process of its own, to be killed."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([*PROGRAM, *order], **quiet)


def _wait_until(true, seconds=60.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_finished_run_is_shown_again_without_a_key(server, tmp_path, monkeypatch):
    plain = play(tmp_path)
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    tutor = ClaudeTutor()
    again = rollout(tutor, recorder=EpisodeStore(tmp_path), **SHORT)
    assert all(same(left, right) for left, right in zip(plain, again, strict=True))
    assert tutor.bill == Bill.of(lines_of(tmp_path))
    tutor.close()


def test_a_bill_is_the_same_however_its_replies_are_grouped():
    half_cents = [
        Bill(
            episodes=1,
            decisions=1,
            requests=1,
            tokens=dict.fromkeys(Bill.of(()).tokens, 0),
            dollars=d,
        )
        for d in (0.00000049, 0.00000049, 0.00000049, 0.1)
    ]
    alone = Bill.sum(half_cents)
    in_pairs = Bill.sum([Bill.sum(half_cents[:2]), Bill.sum(half_cents[2:])])
    assert alone == in_pairs == Bill.sum(half_cents[::-1])
    assert alone.dollars == 0.10000147


def test_another_game_is_not_gone_on_with(server, tmp_path):
    with pytest.raises(RunStopped):
        play(tmp_path, settings=TutorSettings(budget=0.2))
    with pytest.raises(TranscriptError, match="belongs to another run"):
        play(tmp_path, seed=5)
    with pytest.raises(TranscriptError, match="belongs to another run"):
        play(tmp_path, settings=TutorSettings(prompt="1"))
    assert not EpisodeStore(tmp_path).indices()


# Played again


def test_a_transcript_plays_again_without_the_api(server, tmp_path):
    plain = play(tmp_path)
    asked = len(server.requests)
    agent = make_agent(f"replay:{tmp_path}")
    again = rollout(agent, **SHORT)
    assert len(server.requests) == asked
    for left, right in zip(plain, again, strict=True):
        assert np.array_equal(left.actions, right.actions)
        assert left.final_hash == right.final_hash
    assert agent.name == f"replay of claude-opus-4-8, prompt {DEFAULT_VERSION}"
    assert agent.played["episodes"] == 4
    assert agent.played["max_steps"] == 60


def test_where_a_transcript_ends_or_lies_the_episode_is_marked(server, tmp_path):
    play(tmp_path, episodes=2)
    rows = (tmp_path / "transcript.jsonl").read_text().splitlines()
    short = [row for row in rows if '"seed":1,"stage":1,"decision":9,' not in row]
    changed = [row.replace('"score":0', '"score":1') for row in short]
    (tmp_path / "short.jsonl").write_text("\n".join(short) + "\n")
    (tmp_path / "changed.jsonl").write_text("\n".join(changed) + "\n")
    reasons = [
        one.reason
        for name in ("short", "changed")
        for one in rollout(
            ReplayAgent.from_source(str(tmp_path / f"{name}.jsonl")), **{**SHORT, "episodes": 3}
        )
        if one.failed
    ]
    assert reasons[:2] == [
        "the transcript ends after 9 decisions",
        "the transcript has no episode with seed 2",
    ]
    assert reasons[2:] == [
        "the game is not the one of the transcript",
        "the game is not the one of the transcript",
        "the transcript has no episode with seed 2",
    ]


# The command line


def test_one_line_is_all_that_one_types(server, tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    done = run("rollout", "--agent", "claude", "--episodes", 1, "--max-steps", 30)
    assert done.returncode == 0, done.stderr
    assert "5 decisions in 5 requests: $0." in done.stdout
    [folder] = tmp_path.iterdir()  # what was paid for is kept, asked or not
    assert folder.name.startswith(f"claude-opus-4-8_prompt_{DEFAULT_VERSION}_")
    assert folder.name in done.stderr
    kept = {path.name for path in folder.glob("[!.]*")}
    assert kept == {"episode_000000.npz", "transcript.jsonl"}
    again = run("rollout", "--agent", f"replay:{folder}", "--json")
    [row] = json.loads(again.stdout)["rows"]
    assert (row["episodes"], row["status"]) == (1, {"time limit": 1})


def test_the_command_line_says_what_is_wrong_in_one_sentence(server, tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "wrong-and-secret")
    said = {
        ("--agent", "claude"): "ANTHROPIC_API_KEY",
        ("--agent", "claude:?prompt=9"): "There is no prompt '9'",
        ("--agent", "claude?budgt=1"): "no option 'budgt'; did you mean 'budget'?",
        ("--agent", "claude", "--budget", "-1"): "--budget",
        ("scripted", "--budget", "1"): "costs nothing, so it takes no budget",
        ("scripted", "--dry-run"): "costs nothing",
        ("scripted", "--agent", "claude"): "Name one agent",
        (): "Name one agent",
        ("--agent", "replay:nowhere"): "There is no transcript at nowhere",
    }
    for arguments, words in said.items():
        done = run("rollout", *arguments, "-n", 1, "--max-steps", 30)
        assert done.returncode in (1, 2)
        assert words in " ".join(done.stderr.replace("│", "").split()), done.stderr
        assert "Traceback" not in done.stderr
        assert "wrong-and-secret" not in done.stderr
    assert list(tmp_path.rglob("*.npz")) == []


def test_a_dry_run_and_a_budget_on_the_command_line(server, tmp_path, monkeypatch, run):
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    terms = ("-n", 2, "--max-steps", 60, "--json")
    estimated = run("rollout", "--agent", "claude", "--dry-run", *terms)
    assert json.loads(estimated.stdout)["most_decisions"] == 20
    assert not server.requests
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    bound = run("rollout", "--agent", "claude", "--budget", 0.1, "--out", tmp_path, *terms)
    assert bound.returncode == 0, bound.stderr
    result = json.loads(bound.stdout)
    assert "does not reach" in result["stopped"]
    assert 0.0 < result["cost"]["dollars"] <= 0.1
    assert "run the same command again" in bound.stderr


def test_the_bill_is_not_added_up_at_every_step(server, tmp_path, monkeypatch):
    added_up = []
    by_episode = Bill.by_episode
    monkeypatch.setattr(
        Bill, "by_episode", lambda lines: added_up.append(None) or by_episode(lines)
    )
    terms = ["-n", "2", "--max-steps", "60", "--out", str(tmp_path), "--json"]
    done = CliRunner().invoke(build(), ["rollout", "--agent", "claude", *terms])
    assert done.exit_code == 0, done.output
    assert len(added_up) < 12  # some in the beginning, some at the end, none meanwhile


# Other ways to ask


NEVER_CLOSED = """
from arena_breaker_agents.tutors import ClaudeTutor
from arena_breaker_gym.rollout import rollout
tutor = ClaudeTutor()
print(rollout(tutor, episodes=1, max_steps=12)[0].failed)
"""


def test_a_tutor_that_nobody_closes_does_not_keep_python_from_ending(server):
    command = [sys.executable, "-c", NEVER_CLOSED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90.0, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("False\n", "", 0)


def test_batches_play_the_same_episodes_for_half_the_price(server, tmp_path):
    plain = play(tmp_path / "plain", episodes=6)
    asked = len(server.requests)
    tutor = Tutor(
        lambda: BatchClient(ClaudeClient(), gather=0.3, poll=0.02),
        name=plain[0].agent,
        model="claude-opus-4-8",
        batched=True,
    )
    batched = play(tmp_path / "batched", tutor=tutor, episodes=6)
    assert not server.malformed
    assert all(same(left, right) for left, right in zip(batched, plain, strict=True))
    paths = [(one.method, one.path) for one in server.requests[asked:]]
    assert ("POST", "/v1/messages") not in paths
    created = paths.count(("POST", "/v1/messages/batches"))
    assert 10 <= created <= 14  # episodes advance in lock-step: 10 decisions each
    cost = {}
    for name in ("plain", "batched"):
        lines = lines_of(tmp_path / name)
        assert {line.values["usage"]["batch"] for line in lines} == {name == "batched"}
        outputs = Prices.load().of("claude-opus-4-8").output * Bill.of(lines).tokens["output"]
        cost[name] = outputs * 1e-6 * (0.5 if name == "batched" else 1.0)
    assert cost["batched"] == cost["plain"] / 2
    assert (tmp_path / "batched" / "batches.jsonl").is_file()


def test_a_batch_under_way_is_found_again_and_not_paid_twice(server, tmp_path, run):
    def batches_created():
        made = [one for one in server.requests if one.path == "/v1/messages/batches"]
        return len(made)

    server.batch_polls = 10**6  # it does not end
    order = ["rollout", "--agent", "claude?batch=true", "-n", "3", "--max-steps", "6"]
    order += ["--out", str(tmp_path)]
    with started(order) as killed:
        log = tmp_path / "batches.jsonl"
        _wait_until(lambda: log.exists() and log.read_bytes().endswith(b"\n"))
        os.kill(killed.pid, signal.SIGKILL)
    assert not lines_of(tmp_path)
    server.batch_polls = 0
    done = run(*order)
    assert done.returncode == 0, done.stderr
    assert [len(one) for one in EpisodeStore(tmp_path)] == [6, 6, 6]
    assert batches_created() == 1


def test_another_client_plays_through_an_openai_compatible_server(server, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    model = server.chat_models[0]
    tutor = make_agent(f"openai:{model}?base_url={server.url}/v1&decision_steps=6")
    episodes = play(tmp_path, tutor=tutor)
    assert not server.malformed
    assert {one.path for one in server.requests} == {"/v1/chat/completions"}
    plain = play()
    for left, right in zip(episodes, plain, strict=True):
        assert np.array_equal(left.actions, right.actions)
    assert episodes[0].agent == f"{model}, prompt {DEFAULT_VERSION}"
    assert Bill.of(lines_of(tmp_path)).dollars is None  # nobody knows its price


class Still:
    """A client of one's own: stands and shoots to the right."""

    model, options = "still", MappingProxyType({})

    async def complete(self, request):
        move = {"move": {"x": 0, "z": 0}, "aim": {"x": 1, "z": 0}, "dash": False, "hold": 6}
        return Response(ending="called", call={"plan": [move]}, model=self.model)

    async def close(self):
        self.closed = True


def test_a_client_of_ones_own_is_a_class_with_complete():
    llm = Still()
    [episode] = play(tutor=Tutor(lambda: llm, name="still", model="still"), episodes=1)
    assert (episode.actions == [0, 0, 1, 0, 0]).all()
    assert llm.closed


# The whole experiment


def test_the_bootcamp_takes_claude_as_its_tutor(server, tmp_path):
    from tests.arena_breaker_gym.bootcamp.test_bootcamp import PLAN

    plan = dataclasses.replace(PLAN, tutor="claude", tutor_evaluations=2)
    whole = Bootcamp(plan, tmp_path, budget=50.0)
    results = whole.run(lambda words, share: None)
    assert not server.malformed
    rows = [row for row in results.rows if row["agent"] == "tutor"]
    assert [row["episodes"] for row in rows] == [2, 2]
    assert {one.agent for one in EpisodeStore(tmp_path / "demonstrations")} == {
        f"claude-opus-4-8, prompt {DEFAULT_VERSION}"
    }
    bill = whole.bill
    assert bill.requests == len(questions(server))
    assert bill.episodes == plan.demonstrations + 4
    asked = len(server.requests)
    assert Bootcamp(plan, tmp_path).run(lambda words, share: None).rows == results.rows
    assert len(server.requests) == asked
    with pytest.raises(RunStopped, match="does not reach"):
        Bootcamp(plan, tmp_path / "poor", budget=0.2).run(lambda words, share: None)


def test_a_study_of_prompts_prints_kills_for_a_dollar(server, tmp_path):
    script = ROOT / "examples" / "prompt_study.py"
    terms = ("--episodes", "2", "--max-steps", "60", "--steps", "3", "--steps", "6")
    server.policy.hold = 3
    study = typer.Typer()
    study.command()(runpy.run_path(str(script))["main"])
    done = CliRunner().invoke(study, [*terms, "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "kills per dollar" in " ".join(done.stdout.split())
    rows = json.loads((tmp_path / "study.json").read_text())["rows"]
    assert [(row["prompt"], row["steps"]) for row in rows] == [
        (version, steps) for version in VERSIONS for steps in (3, 6)
    ]
    assert all(row["dollars"] > 0.0 for row in rows)
    asked = len(server.requests)
    assert CliRunner().invoke(study, [*terms, "--out", str(tmp_path)]).exit_code == 0
    assert len(server.requests) == asked
