"""The planner: it knows the game without touching it, plays alike everywhere, and plays well."""

import numpy as np
import pytest

from arena_breaker_agents.planner import PlannerAgent, PlannerOptions
from arena_breaker_agents.registry import make_agent
from arena_breaker_agents.scripted import ScriptedBaseline
from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.rollout import rollout, verify
from arena_breaker_gym.rollout.agent import Observations
from arena_breaker_gym.rollout.batch import ArenaBatch
from arena_breaker_gym.rollout.episode import Plan
from arena_breaker_gym.settings import Settings

QUICK = PlannerOptions(horizon=20, hold=4, candidates=24, rounds=2)
STATE = {"observation": "state"}


def plan_of(agent, **settings):
    game = Settings.from_keywords(settings)
    return Plan(agent=agent.name, settings=game, seed=5, stages=(3,), max_steps=100)


class Watcher:
    """Stands still and keeps what it is shown."""

    name = "watcher"

    def __init__(self, *needs):
        self.needs = needs
        self.seen = []

    def reset(self, arenas, seed):
        pass

    def act(self, observations, arenas):
        self.seen.append([bytes(one) for one in observations.saved])
        return np.zeros((len(arenas), 5))

    def close(self):
        pass


def test_an_agent_that_needs_saved_states_can_go_on_from_them():
    watcher = Watcher("saved")
    rollout(watcher, episodes=2, max_steps=90, stage=2, env=STATE)
    arenas = Arenas(Settings(), count=2)
    for arena in range(2):
        arenas.restore(arena, watcher.seen[40][arena])
    for _ in range(20):
        arenas.step(np.zeros((2, 5)))
    assert [arenas.save(arena) for arena in range(2)] == watcher.seen[60]


def test_saved_states_are_shown_to_nobody_who_does_not_need_them():
    with pytest.raises(ValueError, match="'saved' without naming it"):
        rollout(Watcher("state"), episodes=1, max_steps=3, env=STATE)


@pytest.mark.parametrize("settings", [{}, {"frame_skip": 4, "point_blank_fix": False}], ids=str)
def test_planning_leaves_the_game_as_it_is(settings):
    agent = PlannerAgent(QUICK)
    plan = plan_of(agent, **settings)
    batch = ArenaBatch(plan, count=2)
    agent.prepare(plan, None, episodes=2)
    for arena in range(2):
        batch.begin(arena, arena)
        agent.reset([arena], plan.seed_of(arena))
    for _ in range(30):
        before = batch.arenas.records.tobytes()
        actions = agent.act(batch.observe(agent.needs, [0, 1]), [0, 1])
        assert batch.arenas.records.tobytes() == before
        batch.move(actions, [0, 1])


def test_its_play_does_not_depend_on_who_plays_beside_it():
    terms = {"episodes": 3, "seed": 7, "max_steps": 120, "stage": [1, 3], "env": STATE}
    alone = rollout(PlannerAgent(QUICK), num_envs=1, **terms)
    beside = rollout(PlannerAgent(QUICK), num_envs=3, **terms)
    assert [one.final_hash for one in alone] == [one.final_hash for one in beside]
    assert len({one.final_hash for one in alone}) == 3
    for one in alone:
        verify(one)


def test_it_takes_fewer_hits_and_kills_as_many_as_the_scripted_player():
    terms = {"episodes": 4, "seed": 20, "max_steps": 360, "stage": 3, "env": STATE}
    planned, scripted = (
        rollout(agent, **terms) for agent in (PlannerAgent(QUICK), ScriptedBaseline())
    )

    def total(played, metric):
        return sum(one.metrics[metric] for one in played)

    assert total(planned, "damage_taken") < 0.5 * total(scripted, "damage_taken")
    assert total(planned, "kills") >= total(scripted, "kills")


def test_a_longer_search_plays_another_game_under_another_name():
    usual, quick = make_agent("planner"), make_agent("planner?horizon=20&candidates=24")
    assert usual.name == "planner"
    assert quick.options == PlannerOptions(horizon=20, candidates=24)
    assert quick.name == "planner, horizon 20, hold 4, candidates 24, rounds 2"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("planner?horizn=8", "did you mean 'horizon'|horizon"),
        ("planner?horizon=many", "horizon cannot be 'many'"),
        ("planner?horizon=10", "horizon must be a multiple of hold, got 10 and 4"),
        ("planner?candidates=1", "candidates must be a whole number of at least 2, got 1"),
        ("planner:far", r"takes options such as \?horizon=24, got 'far'"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(spec, words):
    with pytest.raises(ValueError, match=words):
        make_agent(spec)


def test_it_cannot_play_a_game_that_nobody_told_it():
    agent = PlannerAgent(QUICK)
    agent.reset([0], 1)
    with pytest.raises(ValueError, match="plays under `rollout`"):
        agent.act(Observations(saved=[b""]), [0])


def test_only_planning_is_charged_where_thinking_takes_time():
    (played,) = rollout(PlannerAgent(QUICK), episodes=1, max_steps=60, latency=4, env=STATE)
    assert len(played) == 60
    # Four actions a plan and two steps of waiting for it: ten plans in sixty steps.
    assert played.metrics["looks"] == 10


def test_it_finishes_the_last_stage():
    # With less thought than it usually takes; the long form below plays with all of it.
    [played] = rollout(PlannerAgent(QUICK), episodes=1, stage=3, max_steps=7200, env=STATE)
    assert played.metrics["victory"]


@pytest.mark.slow
def test_it_finishes_the_campaign_on_at_least_half_of_twenty_seeds():
    played = rollout(PlannerAgent(), episodes=20, max_steps=7200, env=STATE)
    assert sum(one.metrics["victory"] for one in played) >= 10


def test_options_take_numpys_numbers_and_hold_plain_ones():
    options = PlannerOptions(horizon=np.int64(24), hold=np.int8(4), candidates=np.array(8))
    assert options == PlannerOptions(horizon=24, hold=4, candidates=8)
    assert options.name == "horizon 24, hold 4, candidates 8, rounds 2"
