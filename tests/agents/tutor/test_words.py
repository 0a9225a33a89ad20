"""What a tutor says and hears: prompts by version, decisions checked, prices, transcripts."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena_breaker_agents.tutor import prompt
from arena_breaker_agents.tutor.bill import Bill, Prices
from arena_breaker_agents.tutor.deciding import EpisodeContext
from arena_breaker_agents.tutor.decision import Decision, UnusableAnswer, act_tool
from arena_breaker_agents.tutor.llm_client import Usage
from arena_breaker_agents.tutor.prompt import VERSIONS, Prompt
from arena_breaker_agents.tutor.transcript import Transcript, TranscriptError
from tests import play_guard

BOUNDS = {"decision_steps": 6, "most_holds": 3}
MOVE = {"move": {"x": 0.5, "z": -0.5}, "aim": {"x": 1.0, "z": 0.0}, "dash": False, "hold": 6}


def prompt_of(version, **changes):
    told = {"stages": None, "frame_skip": 2, **BOUNDS, **changes}
    return Prompt.of(version, **told)


def call(*moves, **changes):
    return {"plan": [{**MOVE, **changes}] if not moves else list(moves)}


# Prompts


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_of_the_prompt_never_changes(version):
    """If this fails you have changed words that transcripts refer to: add a version instead."""
    kept = play_guard.prompt_file(version).read_text(encoding="utf-8")
    assert play_guard.prompt_words(version) == kept


@pytest.mark.parametrize("version", VERSIONS)
def test_a_prompt_is_long_enough_to_be_cached(version):
    # 1,024 tokens are the fewest that claude-opus-4-8 caches; no text here has over 5 letters each.
    assert len(prompt_of(version).system) > 5 * 1024


def test_a_prompt_tells_the_stages_that_are_played(tmp_path):
    from arena_breaker_gym.stages.loader import load_campaign

    plain = load_campaign().models[0].model_dump(mode="json", exclude_unset=True)
    plain |= {"name": "Mine", "size": {"width": 22.0, "depth": 20.0}}
    (tmp_path / "mine.json").write_text(json.dumps(plain))
    told = prompt_of("1", stages=[str(tmp_path / "mine.json")]).system
    assert 'Stage 1, "Mine": floor from x -11 to 11 and z -10 to 10' in told
    assert "Stage 2" not in told


def test_a_prompt_tells_how_long_a_step_is_and_a_move_is_held():
    told = prompt_of("1", frame_skip=3, decision_steps=10).system
    assert "a step is 3 ticks, so there are 20 steps a second" in told
    assert "1 to 10 (0.5 s)" in told


def test_the_tool_says_nothing_that_strict_tools_may_not():
    text = json.dumps(act_tool(**BOUNDS).schema)
    for word in ("minimum", "maximum", "maxItems", "maxLength", "$ref", "default"):
        assert f'"{word}"' not in text


# Decisions


def test_a_decision_is_held_for_its_steps():
    moves = ({**MOVE, "hold": 2}, {**MOVE, "dash": True, "hold": 1})
    actions = Decision.from_call(call(*moves), **BOUNDS).actions()
    plain = [0.5, -0.5, 1.0, 0.0, 0.0]
    assert actions.dtype == np.float32
    assert actions.tolist() == [plain, plain, [*plain[:4], 1.0]]


@pytest.mark.parametrize(
    "said",
    [
        call(hold="2"),
        call(hold=2.0, dash=0),
        call(hold=" 2.0 ", dash="False"),
        call(hold=2, move={"x": "0.5", "z": "-.5"}, aim={"x": "1", "z": "0e0"}),
        {"plan": json.dumps(call(hold=2)["plan"])},
    ],
)
def test_text_that_means_one_number_only_is_that_number(said):
    actions = Decision.from_call(said, **BOUNDS).actions()
    assert actions.tolist() == [[0.5, -0.5, 1.0, 0.0, 0.0]] * 2


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_sticks_are_never_longer_than_one_and_keep_their_direction(x, z):
    action = Decision.from_call(call(move={"x": x, "z": z}), **BOUNDS).actions()[0]
    length = math.hypot(x, z)
    assert math.hypot(*action[:2]) <= 1.0 + 1e-6
    if length > 1e-6:
        assert action[0] * z == pytest.approx(action[1] * x, abs=1e-6 * length)


@pytest.mark.parametrize(
    ("said", "mistake"),
    [
        (None, "the tool's input"),
        ([], "the tool's input"),
        ("act", "the tool's input"),
        ({}, "plan: Field required"),
        ({"plan": []}, "plan: "),
        ({"plan": [MOVE] * 4}, "plan has 4 moves; at most 3 are played"),
        (call(hold=0), "plan.0.hold"),
        (call(hold=7), "plan.0.hold is 7; expected 1 to 6"),
        (call(hold=10**30), "plan.0.hold"),
        (call(hold=True), "plan.0.hold"),
        (call(hold="six"), "plan.0.hold"),
        (call(hold="2.5"), "plan.0.hold"),
        (call(dash=2), "plan.0.dash"),
        (call(dash="perhaps"), "plan.0.dash"),
        (call(aim={"x": "NaN", "z": "0"}), "aim"),
        ({"plan": "left"}, "plan: "),
        (call(move={"x": 1.0}), "plan.0.move.z: Field required"),
        (call(move={"x": "left", "z": 0.0}), "plan.0.move.x"),
        (call(aim={"x": float("nan"), "z": 0.0}), "aim"),
        (call(aim={"x": float("inf"), "z": 0.0}), "aim"),
        (call(aim={"x": 10**400, "z": 0.0}), "aim"),
        ({**call(), "why": "because"}, "why: Extra inputs"),
        ({"plan": {"0": MOVE}}, "plan.0.move: Field required"),
    ],
)
def test_what_is_no_decision_is_refused_in_a_sentence(said, mistake):
    with pytest.raises(UnusableAnswer) as refused:
        Decision.from_call(said, **BOUNDS)
    assert mistake in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 250


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["plan", "move", "aim", "x", "z", "hold"]), inner)
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_a_tool_is_called_with_is_read_or_refused(said):
    try:
        actions = Decision.from_call(said, **BOUNDS).actions()
    except UnusableAnswer:
        return
    assert np.isfinite(actions).all()


# A context's memory


def test_turns_of_before_grow_at_the_end_and_are_bounded():
    context, decision = EpisodeContext(0, history=2), Decision.from_call(call(hold=1), **BOUNDS)
    seen, told = [], []
    for number in range(12):
        told.append(context.earlier)
        context.hold({"score": number}, decision)
        seen.append(prompt.earlier({"score": number}, decision.to_dict()))
    assert max(map(len, told)) == 4
    assert min(map(len, told[2:])) == 2
    for number, earlier in enumerate(told):  # always the newest, in order
        assert list(earlier) == seen[number - len(earlier) : number]
    kept = [new[: len(old)] == old for old, new in itertools.pairwise(told)]
    assert sum(kept) >= len(kept) * 2 // 3  # most questions begin as the one before


# Prices


def test_a_reply_costs_what_the_table_says():
    price = Prices.load().of("claude-opus-4-8")
    usage = Usage(input=1000, cache_write_5m=2000, cache_read=10_000, output=100)
    # 5, 6.25, 0.50 and 25 dollars for a million
    assert price.dollars(usage) == pytest.approx(0.005 + 0.0125 + 0.005 + 0.0025)
    assert price.dollars(Usage(cache_write_1h=10**6, batch=True)) == pytest.approx(5.0)


def test_a_model_of_a_certain_day_costs_what_its_model_does():
    prices = Prices.load()
    assert prices.of("claude-haiku-4-5-20251001") == prices.of("claude-haiku-4-5")
    assert prices.of("my-own") is None


def test_prices_of_ones_own_go_over_those_that_come_along(tmp_path):
    mine = {"input": 1, "cache_write_5m": 1, "cache_write_1h": 1, "cache_read": 1, "output": 2}
    (tmp_path / "mine.json").write_text(json.dumps({"models": {"my-own": mine}}))
    prices = Prices.load(tmp_path / "mine.json")
    assert prices.of("my-own").output == 2.0
    assert prices.of("claude-opus-4-8") is not None


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"models": {"a": {"input": 1}}}', '{"models": {"a": 5}}', '{"modles": {}}', "\xff"],
)
def test_a_bad_table_of_prices_is_refused_in_a_sentence(tmp_path, text):
    (tmp_path / "bad.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"bad\.json is no table of prices") as refused:
        Prices.load(tmp_path / "bad.json")
    assert "\n" not in str(refused.value)
    with pytest.raises(ValueError, match="There is no table of prices at"):
        Prices.load(tmp_path / "none.json")


# Transcripts


def lines_of(place):
    return list(Transcript.find(place).lines)


def line(seed, decision, **changes):
    return {
        "seed": seed,
        "stage": 1,
        "decision": decision,
        "attempt": 0,
        "outcome": "answered",
        "problem": None,
        "usage": {"input": 10, "cache_read": 90, "output": 5},
        "dollars": 0.25,
        "snapshot": {"score": decision},
        "answer": call(),
        **changes,
    }


def test_a_transcript_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "run" / "transcript.jsonl"
    written = Transcript(path, heading={"agent": "me"})
    for seed, decision in ((5, 0), (3, 0), (5, 1)):
        written.add(line(seed, decision))
    read = Transcript.find(tmp_path / "run")  # while the other is still open
    assert read.heading == {"agent": "me"}
    assert [(one.seed, one.decision) for one in read.lines] == [(3, 0), (5, 0), (5, 1)]
    assert read.seeds == [3, 5]
    written.close()
    assert len(path.read_text().splitlines()) == 4


def test_two_runs_do_not_write_the_same_transcript(tmp_path):
    path = tmp_path / "transcript.jsonl"
    first = Transcript(path, heading={"agent": "me"})
    with pytest.raises(TranscriptError, match="Another run is writing"):
        Transcript(path, heading={"agent": "me"})
    first.add(line(0, 0))
    assert len(lines_of(path)) == 1  # reading is free
    first.close()
    Transcript(path, heading={"agent": "me"}).close()
    with pytest.raises(TranscriptError, match="belongs to another run"):
        Transcript(path, heading={"agent": "you"})
    Transcript(path, heading={"agent": "me"}).close()  # who was refused holds nothing


@pytest.mark.parametrize("left", range(1, 60, 7))
def test_a_line_that_was_cut_off_is_dropped_and_written_over(tmp_path, left):
    path = tmp_path / "transcript.jsonl"
    first = Transcript(path, heading={"agent": "me"})
    first.add(line(0, 0))
    first.add(line(0, 1))
    first.close()
    data = path.read_bytes()
    end = data.rstrip(b"\n").rfind(b"\n") + 1
    path.write_bytes(data[: end + left])
    assert len(lines_of(path)) == 1
    second = Transcript(path, heading={"agent": "me"})
    second.add(line(0, 1))
    second.close()
    assert path.read_bytes() == data


def test_even_a_heading_may_be_cut_off(tmp_path):
    path = tmp_path / "transcript.jsonl"
    path.write_bytes(b'{"format":"arena')
    again = Transcript(path, heading={"agent": "me"})
    again.add(line(0, 0))
    again.close()
    assert Transcript.find(path).heading == {"agent": "me"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"format":"other","version":1}\n', "is no transcript of version 1"),
        ("not json\n", "line 1: this is no JSON object"),
        ('{"format":"arena-breaker-transcript","version":1}\n[]\n', "line 2: this is no JSON"),
        ('{"format":"arena-breaker-transcript","version":1}\n{}\n', "line 2: this is no decision"),
        ("\xff\xfe\n", "line 1"),
    ],
)
def test_a_damaged_transcript_is_refused_in_a_sentence(tmp_path, text, why):
    path = tmp_path / "transcript.jsonl"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(TranscriptError, match=why):
        Transcript.find(path)


def test_another_runs_transcript_is_left_alone(tmp_path):
    path = tmp_path / "transcript.jsonl"
    Transcript(path, heading={"agent": "me", "plan": {"seed": 1}}).close()
    before = path.read_bytes()
    with pytest.raises(TranscriptError, match=r"belongs to another run \(plan differs\)"):
        Transcript(path, heading={"agent": "me", "plan": {"seed": 2}})
    assert path.read_bytes() == before
    with pytest.raises(TranscriptError, match="There is no transcript at"):
        Transcript.find(tmp_path / "none.jsonl")


def test_a_bill_adds_up_what_was_heard():
    transcript = Transcript(None, heading={})
    for seed, decision, changes in (
        (0, 0, {}),
        (0, 1, {"outcome": "unusable"}),
        (0, 1, {}),
        (1, 0, {"outcome": "lost", "usage": None, "dollars": 0.0}),
    ):
        transcript.add(line(seed, decision, **changes))
    bills = Bill.by_episode(transcript.lines)
    assert {seed: bill.decisions for seed, bill in bills.items()} == {0: 2, 1: 0}
    assert Bill.sum(bills.values()) == Bill.of(transcript.lines)
    bill = Bill.of(transcript.lines).to_dict()
    assert (bill["episodes"], bill["decisions"], bill["requests"]) == (2, 2, 3)
    assert bill["dollars"] == 0.75
    assert bill["dollars_per_decision"] == 0.375
    assert bill["hit_rate"] == 0.9
    assert bill["tokens"]["output"] == 15
    transcript.add(line(1, 0, dollars=None))
    assert Bill.of(transcript.lines).to_dict()["dollars"] is None
