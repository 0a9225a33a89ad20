"""The arena over MCP: the library's own client in memory, over stdio and over loopback HTTP."""

import base64
import contextlib
import http.client
import io
import json
import signal
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import numpy as np
import pygame
import pytest
from anyio.from_thread import start_blocking_portal
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from arena_breaker_gym.cli import main
from arena_breaker_gym.mcp_server.games import MOST_OPEN, GameError, Games, House
from arena_breaker_gym.mcp_server.server import ArenaServer
from arena_breaker_gym.rollout import EpisodeStore, Layers, replay, rollout, verify
from arena_breaker_gym.rollout.store import claimed_number
from arena_breaker_gym.settings import Settings

COMMAND = [sys.executable, "-m", "arena_breaker_gym", "mcp"]
PATIENCE_S = 300.0  # for one answer, the first of which may wait for compilers
ERAS = ("auto", "legacy")  # requests by themselves, or after a handshake
STILL = np.zeros(5, dtype=np.float32)


class Player:
    """A client, called from a test."""

    def __init__(self, portal, client):
        self.portal = portal
        self.client = client

    def call(self, tool, **arguments):
        """A tool's whole answer."""
        return self.portal.call(self.client.call_tool, tool, arguments)

    def ask(self, tool, **arguments):
        """The value that a tool answers with; its text says the same."""
        answer = self.call(tool, **arguments)
        assert not answer.is_error, answer.content
        assert json.loads(answer.content[0].text) == answer.structured_content
        return answer.structured_content

    def complaint(self, tool, **arguments):
        """The sentence by which a call is refused."""
        answer = self.call(tool, **arguments)
        assert answer.is_error
        (content,) = answer.content
        assert "\n" not in content.text
        return content.text

    def frame(self, **arguments):
        """A picture's pixels."""
        (content,) = self.call("get_frame", **arguments).content
        assert (content.type, content.mime_type) == ("image", "image/png")
        data = base64.b64decode(content.data)
        assert data.startswith(b"\x89PNG")
        return pygame.surfarray.array3d(pygame.image.load(io.BytesIO(data))).swapaxes(0, 1)

    def play_out(self, episode, **action):
        """Goes on until the episode ends; the last answer."""
        while True:
            turn = self.ask("act", episode=episode, steps=60, **action)
            if turn["ended"]:
                return turn


@contextlib.contextmanager
def connected(target, **options):
    with start_blocking_portal() as portal:
        client = Client(target, read_timeout_seconds=PATIENCE_S, **options)
        with portal.wrap_async_context_manager(client):
            yield Player(portal, client)


@pytest.fixture
def store(tmp_path):
    return EpisodeStore(tmp_path / "played")


@pytest.fixture
def server(store):
    return ArenaServer(House(settings=Settings(pixel_size=64), store=store))


@pytest.fixture
def player(server):
    with connected(server) as player:
        yield player


@pytest.fixture
def http_server(store):
    """A real server on a free port, and its address."""
    options = ["--http", "--port", "0", "--allow-host", "arena.example"]
    command = [*COMMAND, *options, "--out", str(store.folder)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        address = process.stderr.readline().split(" at ")[1].split(";")[0]
        yield process, address
    finally:
        process.kill()
        process.communicate()


def assert_replays(episode):
    verify(episode)
    assert len(list(replay(episode, size=64))) == len(episode) + 1


# One client in memory


@pytest.mark.parametrize("mode", ERAS)
def test_a_client_plays_an_episode_to_its_end_and_it_is_kept(server, store, mode):
    with connected(server, mode=mode) as player:
        begun = player.ask("start_episode", seed=5, stage=2)
        last = player.play_out(begun["episode"], aim_x=0.5, move_z=-1.0)
    (episode,) = store
    assert (episode.agent, episode.seed, episode.stage) == ("mcp", 5, 2)
    assert episode.status == "completed"
    assert last["ended"] == {
        "status": "completed",
        "reason": episode.reason,
        "steps": len(episode),
        "score": int(episode.metrics["score"]),
        "file": str(store.path_of(0)),
    }
    assert last["snapshot"]["player"]["hp"] == 0
    assert_replays(episode)


def test_what_is_played_equals_a_rollout_with_the_same_seed(player, store, tmp_path):
    begun = player.ask("start_episode", seed=3)
    player.play_out(begun["episode"])
    (ours,) = store
    (theirs,) = rollout(_idle(), episodes=1, seed=3, env=Settings(pixel_size=64))
    assert ours.final_hash == theirs.final_hash
    assert ours.metrics == theirs.metrics


def _idle():
    from arena_breaker_agents.registry import make_agent

    return make_agent("idle")


def test_an_act_tells_what_came_of_it(player, store):
    begun = player.ask("start_episode", seed=5, stage=1)
    turns = []
    while not turns or turns[-1]["ended"] is None:
        turns.append(player.ask("act", episode=begun["episode"], steps=30, aim_x=1.0))
    (episode,) = store
    assert [turn["played"] for turn in turns[:-1]] == [30] * (len(turns) - 1)
    assert turns[-1]["step"] == sum(turn["played"] for turn in turns) == len(episode)
    assert sum(turn["kills"] for turn in turns) == episode.metrics["kills"] > 0
    assert sum(turn["hp_lost"] for turn in turns) == episode.metrics["damage_taken"] == 5
    assert sum(turn["reward"] for turn in turns) == pytest.approx(episode.rewards.sum())
    assert turns[0]["steps_left"] == 3600 - 30


def test_an_episode_is_cut_off_when_its_steps_are_played(player, store):
    begun = player.ask("start_episode", max_steps=7)
    turn = player.ask("act", episode=begun["episode"], steps=60)
    assert (turn["played"], turn["steps_left"]) == (7, 0)
    assert turn["ended"]["status"] == "time limit"
    assert_replays(store.load(0))


def test_a_seed_that_nobody_names_is_told_and_kept(player, store):
    seeds = [player.ask("start_episode", max_steps=1)["seed"] for _ in range(2)]
    assert seeds[0] != seeds[1]
    begun = player.ask("start_episode", max_steps=1)
    player.ask("act", episode=begun["episode"])
    assert store.load(0).seed == begun["seed"]


def test_sticks_dash_and_snapshot_keep_their_directions(player):
    name = player.ask("start_episode", seed=1)["episode"]
    before = player.ask("get_snapshot", episode=name)["snapshot"]["player"]
    player.ask("act", episode=name, move_x=1.0, aim_z=-1.0, dash=True, steps=3)
    after = player.ask("get_snapshot", episode=name)["snapshot"]["player"]
    assert after["pos"]["x"] > before["pos"]["x"] + 1.0
    assert after["pos"]["z"] == before["pos"]["z"]
    assert after["aim"] == {"x": 0.0, "z": -1.0}
    assert (before["dash_ready"], after["dash_ready"]) == (True, False)


def test_frames_are_what_the_renderer_draws_in_every_size(player, store):
    name = player.ask("start_episode", seed=4, stage=3, max_steps=20)["episode"]
    player.ask("act", episode=name, move_x=1.0, steps=19)
    own, named, hud = (
        player.frame(episode=name, **wanted) for wanted in ({}, {"size": 256}, {"hud": True})
    )
    player.ask("act", episode=name, steps=1)
    (episode,) = store
    assert np.array_equal(own, list(replay(episode))[19])
    assert np.array_equal(named, list(replay(episode, size=256))[19])
    assert np.array_equal(hud, list(replay(episode, layers=Layers(hud=True)))[19])
    assert not np.array_equal(own, hud)


def test_the_tools_and_the_rules_explain_themselves(player):
    tools = {one.name: one for one in player.portal.call(player.client.list_tools).tools}
    assert list(tools) == ["start_episode", "get_snapshot", "get_frame", "act", "end_episode"]
    for tool in tools.values():
        assert "ctx" not in tool.input_schema["properties"]
        assert all("description" in one for one in tool.input_schema["properties"].values())
    steps = tools["act"].input_schema["properties"]["steps"]
    assert (steps["minimum"], steps["maximum"]) == (1, 60)
    assert tools["act"].input_schema["required"] == ["episode"]
    assert "hp_lost" in tools["act"].output_schema["properties"]
    assert tools["get_frame"].annotations.read_only_hint
    rules = player.client.instructions
    for word in ("swarmer: 3 hp", "sentinel: 36 hp", "at least 0.3 long", "0.0333 s", "24 x 22"):
        assert word in rules


def test_no_schema_leaves_open_what_a_client_should_send(player):
    for tool in player.portal.call(player.client.list_tools).tools:
        for name, one in tool.input_schema["properties"].items():
            assert one["type"] in ("string", "number", "integer", "boolean"), name
            assert one.get("default", 0) is not None, name
            if one["type"] == "number":
                assert (one["minimum"], one["maximum"]) == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ({"move_x": "0.5", "steps": "6"}, {"move_x": 0.5, "steps": 6}),
        ({"aim_x": "1", "aim_z": "-1e-1", "steps": 6.0}, {"aim_x": 1.0, "aim_z": -0.1}),
        ({"dash": "true", "move_z": " .25 "}, {"dash": True, "move_z": 0.25}),
        ({"dash": 1, "move_x": 1}, {"dash": True, "move_x": 1.0}),
        ({"dash": "False", "steps": "6.0"}, {}),
    ],
)
def test_text_that_means_one_value_only_is_that_value(player, written, plain):
    one, two = (player.ask("start_episode", **{"seed": seed})["episode"] for seed in ("4", 4.0))
    assert player.ask("act", episode=one, **written) == player.ask("act", episode=two, **plain)


def test_what_is_left_out_may_be_null_too(player):
    started = player.ask("start_episode", seed=None, stage=None, max_steps="50")
    assert started["steps_left"] == 50
    assert player.frame(episode=started["episode"], size=None).shape == (64, 64, 3)
    assert player.frame(episode=started["episode"], size="84", hud="true").shape == (84, 84, 3)


@pytest.mark.parametrize("nothing", [None, "", "null", "None"])
def test_null_or_empty_text_means_what_is_left_out(player, nothing):
    one, two = (player.ask("start_episode", seed=4)["episode"] for _ in range(2))
    left_out = dict.fromkeys(("move_x", "aim_z", "dash", "steps"), nothing)
    assert player.ask("act", episode=one, **left_out) == player.ask("act", episode=two)
    assert player.complaint("act", episode=nothing)


def test_a_name_is_never_a_number(player):
    for _ in range(20):
        started = player.ask("start_episode")
        with pytest.raises(ValueError, match="could not convert"):
            float(started["episode"])
        player.ask("end_episode", episode=started["episode"])


# Calls that are refused


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"steps": 0}, "act: steps should be greater than or equal to 1, got 0."),
        ({"steps": 61}, "act: steps should be less than or equal to 60, got 61."),
        ({"steps": 10**30}, "act: steps should be less than or equal to 60, got a number far"),
        ({"steps": 1.5}, "act: steps should be a valid integer, got 1.5."),
        ({"steps": True}, "act: steps should be a valid integer, got True."),
        ({"steps": "five"}, "act: steps should be a valid integer, got 'five'."),
        ({"steps": "61"}, "act: steps should be less than or equal to 60, got 61."),
        ({"aim_x": "NaN"}, "act: aim_x should be a valid number, got 'NaN'."),
        ({"aim_x": 1.01}, "act: aim_x should be less than or equal to 1, got 1.01."),
        ({"aim_z": "left"}, "act: aim_z should be a valid number, got 'left'."),
        ({"move_x": True}, "act: move_x should be a valid number, got True."),
        ({"move_z": [0.1]}, "act: move_z should be a valid number, got [0.1]."),
        ({"dash": 2}, "act: dash should be a valid boolean, got 2."),
        ({"dash": "maybe"}, "act: dash should be a valid boolean, got 'maybe'."),
        ({"aimx": 1.0}, "act has no argument 'aimx'; did you mean 'aim_x'?"),
    ],
)
def test_a_bad_call_is_refused_and_leaves_the_game_untouched(player, arguments, sentence):
    name = player.ask("start_episode", seed=2)["episode"]
    before = player.ask("act", episode=name, aim_x=1.0)
    assert player.complaint("act", episode=name, **arguments).startswith(sentence)
    assert player.ask("get_snapshot", episode=name)["snapshot"] == before["snapshot"]
    assert player.ask("act", episode=name, steps=1)["step"] == before["step"] + 1


def test_other_tools_refuse_what_they_cannot_do(player, store):
    name = player.ask("start_episode")["episode"]
    for tool, arguments, sentence in (
        ("start_episode", {"stage": 4}, "stage must be a whole number from 1 to 3, got 4."),
        ("start_episode", {"stage": 0}, "start_episode: stage should be greater than or"),
        ("start_episode", {"seed": -1}, "start_episode: seed should be greater than or"),
        ("start_episode", {"max_steps": 36001}, "start_episode: max_steps should be less than or"),
        ("get_frame", {"episode": name, "size": 100}, "get_frame: size should be 64, 84, 96,"),
        ("get_snapshot", {}, "get_snapshot: episode is missing."),
        ("get_snapshot", {"episode": 7}, "get_snapshot: episode should be a valid string, got 7."),
        ("get_snapshot", {"episode": "x" * 999}, "There is no episode 'xxx"),
        ("end_episode", {"episode": "other"}, "There is no episode 'other': start one and use"),
        ("fly", {}, "Unknown tool: fly"),
    ):
        complaint = player.complaint(tool, **arguments)
        assert complaint.startswith(sentence)
        assert len(complaint) < 200
    assert len(store) == 0


def test_after_its_end_an_episode_says_how_it_ended_and_is_kept_once(player, store):
    name = player.ask("start_episode", max_steps=1)["episode"]
    player.ask("act", episode=name)
    for tool in ("act", "get_snapshot", "get_frame", "end_episode"):
        sentence = player.complaint(tool, episode=name)
        assert sentence.startswith(f"Episode '{name}' has ended (cut off after 1 steps)")
    assert len(store) == 1


# Episodes that are not played to their end


def test_an_episode_that_is_given_up_is_marked_and_still_replays(player, store):
    for steps in (None, 25):
        name = player.ask("start_episode", seed=1)["episode"]
        if steps:
            player.ask("act", episode=name, steps=steps, move_x=-1.0)
        ending = player.ask("end_episode", episode=name)
        assert ending["reason"] == f"ended by the client after {steps or 0} steps"
    for episode, steps in zip(store, (0, 25), strict=True):
        assert episode.failed
        assert len(episode) == steps
        assert_replays(episode)


@pytest.mark.parametrize("mode", ERAS)
def test_a_client_that_leaves_leaves_marked_episodes(server, store, mode):
    with connected(server, mode=mode) as player:
        for _ in range(2):
            name = player.ask("start_episode")["episode"]
            player.ask("act", episode=name, steps=4)
    assert [one.reason for one in store] == ["left open by the client after 4 steps"] * 2
    assert all(one.failed for one in store)


def test_an_episode_that_nobody_calls_counts_as_abandoned(store):
    now = [0.0]
    house = House(settings=Settings(), store=store, idle_s=60.0, clock=lambda: now[0])
    games = Games(house)
    old, busy = (games.start(seed=0, stage=1, max_steps=None).episode for _ in range(2))
    games.act(old, STILL, 2)
    now[0] = 59.0
    games.look(busy)
    games.sweep()
    assert len(games) == 2
    now[0] = 60.0
    games.sweep()
    (episode,) = store
    assert episode.failed
    assert episode.reason == "abandoned by the client, no call for 1 min, after 2 steps"
    games.look(busy)
    with pytest.raises(GameError, match="has ended"):
        games.act(old, STILL, 1)


def test_only_so_many_episodes_may_be_open(store):
    games = Games(House(settings=Settings(), store=store))
    names = [games.start(seed=0, stage=1, max_steps=None).episode for _ in range(MOST_OPEN)]
    with pytest.raises(GameError, match="16 episodes are open, which is the most at once"):
        games.start(seed=0, stage=1, max_steps=None)
    games.end(names[3])
    games.start(seed=0, stage=1, max_steps=None)


def test_an_episode_that_cannot_be_written_is_kept_when_it_can(store):
    games = Games(House(settings=Settings(), store=store))
    name = games.start(seed=0, stage=1, max_steps=2).episode
    store.folder.write_text("a file where the folder should be")
    with pytest.raises(GameError, match=r"cannot be kept .*played: File exists"):
        games.act(name, STILL, 2)
    with pytest.raises(GameError, match="over but could not be kept yet: end it"):
        games.act(name, STILL, 2)
    store.folder.unlink()
    assert games.end(name).status == "time limit"
    assert_replays(store.load(0))


# Numbers in the folder


def test_numbers_go_on_after_those_that_are_there(player, store):
    rollout(_idle(), episodes=3, recorder=store, max_steps=2)
    name = player.ask("start_episode")["episode"]
    assert player.ask("end_episode", episode=name)["file"] == str(store.path_of(3))


def test_a_number_that_another_process_writes_under_is_left_to_it(store):
    with claimed_number(store) as first, claimed_number(store) as second:
        assert (first, second) == (0, 1)
    with claimed_number(store) as again:
        assert again == 0  # nothing was saved under it
    assert list(store.folder.iterdir()) == []


def test_many_writers_into_one_folder_lose_nothing(store):
    house = House(settings=Settings(), store=store)

    def play(seeds):
        games = Games(house)
        for seed in seeds:
            games.end(games.start(seed=seed, stage=1, max_steps=None).episode)

    writers = [threading.Thread(target=play, args=(range(k, 24, 4),)) for k in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert store.indices() == list(range(24))
    assert sorted(episode.seed for episode in store) == list(range(24))


# Real processes


@pytest.mark.parametrize("mode", ERAS)
def test_over_stdio_a_client_plays_and_what_it_leaves_is_kept(store, tmp_path, mode):
    options = [
        "--out",
        str(store.folder),
        "--pixel-size",
        "84",
        "--point-blank-bug",
        "--name",
        "me",
    ]
    parameters = StdioServerParameters(command=COMMAND[0], args=[*COMMAND[1:], *options])
    with (tmp_path / "stderr").open("w+") as errors:
        with connected(stdio_client(parameters, errlog=errors), mode=mode) as player:
            first = player.ask("start_episode", seed=8)["episode"]
            player.play_out(first)
            second = player.ask("start_episode", seed=9)["episode"]
            player.ask("act", episode=second, steps=12)
            frame = player.frame(episode=second)
        errors.seek(0)
        said = errors.read().splitlines()
        assert [line for line in said if "compil" not in line] == []
    played, left = store
    assert (played.agent, played.seed, played.status) == ("me", 8, "completed")
    assert (played.settings.pixel_size, played.settings.point_blank_fix) == (84, False)
    assert left.reason == "left open by the client after 12 steps"
    assert np.array_equal(frame, list(replay(left))[12])
    for episode in (played, left):
        assert_replays(episode)


class RawClient:
    """A process spoken to line by line, to see all that it says."""

    def __init__(self, folder):
        command = [*COMMAND, "--out", str(folder)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        about = {"protocolVersion": "2025-06-18", "capabilities": {}}
        self.ask("initialize", {**about, "clientInfo": {"name": "raw", "version": "1"}})
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def ask(self, method, params):
        self.send({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        reply = json.loads(self.process.stdout.readline())
        assert (reply["jsonrpc"], reply["id"]) == ("2.0", 1)
        return reply["result"]

    def call(self, tool, **arguments):
        return self.ask("tools/call", {"name": tool, "arguments": arguments})


@pytest.fixture
def raw(store):
    client = RawClient(store.folder)
    yield client
    client.process.kill()
    client.process.wait()
    for pipe in (client.process.stdin, client.process.stdout, client.process.stderr):
        with contextlib.suppress(BrokenPipeError):
            pipe.close()


def test_nothing_but_the_protocol_goes_to_standard_output(raw, store):
    name = raw.call("start_episode", seed=1)["structuredContent"]["episode"]
    raw.call("get_frame", episode=name, hud=True)
    rest, _ = raw.process.communicate(timeout=30)
    assert rest == ""
    assert raw.process.returncode == 0
    assert len(store) == 1


def test_half_a_letter_is_answered(raw):
    reply = raw.call("get_snapshot", episode="\ud83d")
    assert reply["content"][0]["text"].startswith("There is no episode '?'")
    assert not raw.call("start_episode", seed=1).get("isError")


@pytest.mark.parametrize(
    "line",
    [
        '{"jsonrpc": "2.0", "id": 7.0, "method": "ping"}',
        '{"jsonrpc": "2.0", "method": "ping", "params": {"_meta": {}}, "id": 7.0}',
        '\ufeff{"jsonrpc":"2.0","method":"ping","id":7}',
    ],
)
def test_a_message_is_answered_whose_number_is_written_otherwise_or_that_a_mark_precedes(raw, line):
    raw.process.stdin.write(line + "\n")
    raw.process.stdin.flush()
    assert json.loads(raw.process.stdout.readline())["id"] == 7


def test_a_client_that_leaves_without_waiting_is_no_fault(raw, store):
    name = raw.call("start_episode", seed=1)["structuredContent"]["episode"]
    raw.process.stdout.close()
    for _ in range(3):
        about = {"name": "get_snapshot", "arguments": {"episode": name}}
        raw.send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": about})
        time.sleep(0.1)
    raw.process.stdin.close()
    assert raw.process.wait(120) == 0
    assert "Traceback" not in raw.process.stderr.read()
    assert len(store) == 1


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400"])
def test_a_number_that_is_none_is_refused(raw, number):
    name = raw.call("start_episode", seed=1)["structuredContent"]["episode"]
    reply = raw.call("act", episode=name, aim_x=float(number.lower()))
    assert reply["isError"]
    assert "act: aim_x should be a finite number, got" in reply["content"][0]["text"]
    assert raw.call("get_snapshot", episode=name)["structuredContent"]["step"] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_stopped_keeps_what_is_open(raw, store, number):
    name = raw.call("start_episode", seed=1)["structuredContent"]["episode"]
    raw.call("act", episode=name, steps=5)
    raw.process.send_signal(number)
    out, err = raw.process.communicate(timeout=30)
    assert (out, err, raw.process.returncode) == ("", "", -number)
    (episode,) = store
    assert episode.reason == "left open by the client after 5 steps"
    verify(episode)


@pytest.mark.parametrize("mode", ERAS)
def test_over_http_two_games_at_once_do_not_mix(http_server, store, mode):
    _, address = http_server
    with connected(address, mode=mode) as one, connected(address, mode=mode) as two:
        first = one.ask("start_episode", seed=1, stage=1)["episode"]
        second = two.ask("start_episode", seed=2, stage=2)["episode"]
        for _ in range(5):
            left = one.ask("act", episode=first, move_x=-1.0, steps=5)
            right = two.ask("act", episode=second, move_x=1.0, steps=3)
        assert (left["step"], right["step"]) == (25, 15)
        assert (left["snapshot"]["stage"], right["snapshot"]["stage"]) == (1, 2)
        one.play_out(first)
        two.ask("end_episode", episode=second)
    by_seed = {episode.seed: episode for episode in store}
    assert set(by_seed[1].actions[:25, 0].tolist()) == {-1.0}
    assert set(by_seed[2].actions[:, 0].tolist()) == {1.0}
    assert (by_seed[1].status, by_seed[2].status) == ("completed", "agent failed")
    for episode in store:
        assert_replays(episode)


def test_an_http_server_that_is_stopped_keeps_what_is_open(http_server, store):
    process, address = http_server
    with connected(address) as player:
        player.ask("start_episode", seed=1)
    assert len(store) == 0  # the protocol has no connection that could end
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert store.load(0).reason == "left open by the client after 0 steps"


def _status_of(address, **headers):
    url = urlsplit(address)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
    with contextlib.closing(connection):
        content = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        connection.request("POST", url.path, body="{}", headers={**content, **headers})
        return connection.getresponse().status


def test_a_page_that_points_its_own_name_at_the_server_is_refused(http_server):
    _, address = http_server
    assert address.startswith("http://127.0.0.1:")
    assert _status_of(address, Host="evil.example") == 421
    assert _status_of(address, Origin="http://evil.example") == 403
    # These are heard, and found to be no message.
    assert _status_of(address, Origin="http://localhost:3000") == 400
    assert _status_of(address, Host="arena.example:80") == 400


# The command


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--skin", "nein"], "There is no skin 'nein'"),
        (["--stages", "none.json"], "none.json"),
        (["--pixel-size", "100"], "pixel_size must be one of 64, 84, 96, 128, 256, got 100."),
        (["--http", "--host", "999.1.1.1"], "Cannot listen on 999.1.1.1, port 8000"),
    ],
)
def test_a_server_that_cannot_be_is_refused_at_once(monkeypatch, capsys, arguments, sentence):
    monkeypatch.setattr(sys, "argv", ["arena-breaker", "mcp", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert ended.value.code == 1
    assert out == ""
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert sentence in err


def test_without_the_library_one_sentence_names_the_extra(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["arena-breaker", "mcp"])
    for module in [name for name in sys.modules if name.partition(".")[0] == "mcp"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(SystemExit):
        main()
    assert 'pip install "arena-breaker-gym[mcp]"' in capsys.readouterr().err
