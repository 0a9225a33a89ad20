"""On-policy distillation: labels by takeover, states drawn in many skins, a base made in rounds."""

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from arena_breaker_agents.baselines import IdleAgent
from arena_breaker_agents.expert import ExpertAgent
from arena_breaker_agents.scripted import ScriptedBaseline
from arena_breaker_gym._runtime.files import BusyError, GoneError
from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.distillation.collector import (
    Collector,
    CollectorConfig,
    LabelledStates,
    Looks,
    StateExamples,
    Takeover,
)
from arena_breaker_gym.distillation.fine_tuning import (
    FineTuning,
    FineTuningConfig,
    Looked,
    advantages_of,
    surrogate,
)
from arena_breaker_gym.distillation.pretraining import (
    HELD_OUT_SKINS,
    SEEN_BEFORE,
    SEEN_SKINS,
    Pretraining,
    PretrainingConfig,
)
from arena_breaker_gym.rendering import skins
from arena_breaker_gym.rollout.agent import Observations
from arena_breaker_gym.settings import Settings
from examples.student_limits import Substitution
from nitrogen_adapter import checkpoint, gamepad
from nitrogen_adapter.data.examples import TeacherTargets
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.training.alignment import relative_error
from nitrogen_adapter.training.objective import TeacherHead, direction_shares

SETTINGS = Settings(pixel_size=64)


def ignore(words, share):
    pass


def begun(count=4, seed=0, steps=40):
    """Records of arenas in which the expert has played a little."""
    arenas = Arenas(SETTINGS, count=count)
    keys = np.random.default_rng(seed).integers(0, 2**32, (count, 2))
    arenas.begin(np.ones(count, bool), keys)
    agent = ExpertAgent()
    for _ in range(steps):
        tables = arenas.observe()._asdict()
        arenas.step(agent.act(Observations(state=tables), range(count)))
    return arenas.records.copy()


def idle(frames):
    return np.zeros((len(frames), 18, 5), np.float32)


@pytest.mark.parametrize("make", [ExpertAgent, ScriptedBaseline])
def test_a_takeover_is_what_the_agent_would_play_from_there(make):
    records = begun()
    kept = records.copy()
    chunks = Takeover(make(), SETTINGS, count=3).chunks(records, steps=18)
    assert chunks.shape == (4, 18, 5)
    assert records.tobytes() == kept.tobytes()
    arenas, agent = Arenas(SETTINGS, count=1), make()
    for row in range(4):
        arenas.records[0] = records[row]
        agent.reset([0], 0)
        for step in range(18):
            tables = arenas.observe()._asdict()
            seen = Observations(state=tables, snapshots=[arenas.snapshot(0)])
            action = agent.act(seen, [0])
            np.testing.assert_allclose(chunks[row, step], action[0], atol=1e-6)
            arenas.step(action)


def test_states_are_drawn_as_the_game_draws_them_each_time_in_skins_of_their_own():
    records = begun(6)
    states = LabelledStates(records, np.zeros((6, 18, 5), np.float32), None)
    one = StateExamples(states, Looks(SETTINGS, ["neon"]), seed=0)
    arenas_neon = Arenas(replace(SETTINGS, skin="neon"), count=6)
    arenas_neon.records[:] = records
    np.testing.assert_array_equal(one.batch(np.arange(6)).inputs, arenas_neon.compose())
    many = StateExamples(states, Looks(SETTINGS, ["neon", "ice", "candy"]), seed=0)
    first, again, other = (many.batch(np.array(rows)) for rows in ([0, 1, 2], [0, 1, 2], [2, 1, 0]))
    np.testing.assert_array_equal(first.inputs, again.inputs)
    assert not np.array_equal(first.inputs, other.inputs[::-1])
    np.testing.assert_array_equal(first.auxiliary, other.auxiliary[::-1])


def test_a_collector_labels_every_state_that_the_student_reaches():
    config = CollectorConfig(arenas=6, teacher_share=0.5, stages=(1, 3))
    looks = Looks(SETTINGS, ["neon", "ice"])
    made = [
        Collector(ExpertAgent(), config, looks, settings=SETTINGS, seed=4).collect(idle, 5)
        for _ in range(2)
    ]
    assert made[0].records.tobytes() == made[1].records.tobytes()
    states = made[0]
    assert states.records.shape == (30,) and states.actions.shape == (30, 18, 5)
    assert set(states.records["stage"].tolist()) == {0, 2}
    again = Takeover(ExpertAgent(), SETTINGS, count=30).chunks(states.records, steps=18)
    np.testing.assert_array_equal(states.actions, again)
    assert states.teacher is not None
    np.testing.assert_array_equal(states.teacher.aim, states.actions[:, 0, 2:4])
    x = states.records["player"]["x"].reshape(5, 6)
    assert (x[-1, :3] != x[0, :3]).any() and (x[-1, 3:] == x[0, 3:]).all(), "teacher; idle student"


def test_states_of_single_looks_can_be_joined_and_drawn():
    looks = Looks(SETTINGS, ["neon"])
    collector = Collector(
        ExpertAgent(), CollectorConfig(arenas=2), looks, settings=SETTINGS, seed=0
    )
    states = LabelledStates.joined([collector.collect(idle, 1) for _ in range(3)])
    batch = StateExamples(states, looks, seed=0).batch(np.arange(6))
    assert batch.inputs.shape[0] == batch.auxiliary.shape[0] == 6


def small(**changes):
    config = PretrainingConfig(
        skins=("neon", "ice"),
        looks_a_round=2,
        rounds_kept=2,
        steps_a_round=3,
        evaluate_every=None,
        evaluations=2,
        collector=CollectorConfig(arenas=4),
    )
    training = replace(config.training, batch_size=4, steps=12, warmup_steps=1)
    return replace(config, training=training, **changes)


def test_a_base_is_made_in_rounds_and_goes_on_where_it_was_left(tmp_path):
    config = small(evaluate_every=2)
    made = Pretraining(tmp_path, config, num_threads=1)
    base = made.run(ignore, until_round=2)
    assert made.rounds == 2
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [one["kind"] for one in lines] == ["train", "train", "play"]
    assert lines[-1]["kills"] >= 0
    weights = checkpoint.load(base).state_dict()
    again = Pretraining(tmp_path, config, num_threads=1)
    assert again.rounds == 2
    again.run(ignore)
    assert again.rounds == 4
    after = checkpoint.load(base).state_dict()
    assert any(not torch.equal(weights[name], after[name]) for name in weights)
    elsewhere = Pretraining(tmp_path / "more", small(), start=base, num_threads=1)
    assert elsewhere.rounds == 4  # it counts on from what lies beside the base
    (tmp_path / "training.json").write_text('{"steps": "many"}', encoding="utf-8")
    with pytest.raises(ValueError, match=r"training\.json: damaged; expected the steps"):
        Pretraining(tmp_path / "again", small(), start=base, num_threads=1)
    size = sum(value.numel() for value in after.values())
    assert base.stat().st_size < 2.2 * size, "half precision"
    with pytest.raises(ValueError, match="holds a base with another"):
        Pretraining(tmp_path, replace(config, seed=1))


def test_a_base_is_brought_to_an_end_by_a_rate_that_falls_to_zero(tmp_path):
    base = Pretraining(tmp_path / "base", small(), num_threads=1).run(ignore)
    training = PretrainingConfig.annealing(2, steps_a_round=3).training
    training = replace(training, batch_size=4, warmup_steps=1)
    assert training.steps == 6
    config = replace(small(), training=training)
    rates = []

    def note(words, share):
        rates.append(end._trainer._learning_rate())

    end = Pretraining(tmp_path / "end", config, start=base, num_threads=1)
    end.run(note, until_round=5)  # left after one of two rounds, and begun again
    end = Pretraining(tmp_path / "end", config, start=base, num_threads=1)
    end.run(note)
    assert end.rounds == 6  # on top of the base's four
    assert rates == pytest.approx(
        [5e-4 * (0.5 + 0.5 * math.cos(math.pi * done / 6)) for done in range(1, 7)]
    )


def test_a_second_pretraining_in_one_folder_is_refused_and_a_deleted_folder_is_said(tmp_path):
    first, second = (Pretraining(tmp_path / "run", small(), num_threads=1) for _ in range(2))

    def meddle(words, share):
        if not (tmp_path / "run").exists():
            return
        with pytest.raises(BusyError, match="Another run is writing into"):
            second.run(ignore)
        shutil.rmtree(tmp_path / "run")

    with pytest.raises(GoneError, match="was deleted or moved while the run was going on"):
        first.run(meddle)
    assert not (tmp_path / "run").exists()


def test_a_pretraining_goes_on_from_what_another_has_come_to_meanwhile(tmp_path):
    first, second = (Pretraining(tmp_path, small(), num_threads=1) for _ in range(2))
    first.run(ignore, until_round=1)
    second.run(ignore, until_round=2)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [one["step"] for one in lines if one["kind"] == "train"] == [3, 6]


def test_a_kill_between_a_trainings_state_and_its_base_is_healed(tmp_path, monkeypatch):
    whole = Pretraining(tmp_path, small(), num_threads=1)
    base = whole.run(ignore, until_round=1)
    with monkeypatch.context() as patched:
        patched.setattr(whole, "_save_base", die)
        with pytest.raises(PlugPulledError):
            whole.run(ignore, until_round=2)
    assert json.loads((tmp_path / "training.json").read_text())["steps"] == 3
    again = Pretraining(tmp_path, small(), num_threads=1)
    again.run(ignore, until_round=2)
    assert json.loads((tmp_path / "training.json").read_text())["steps"] == 6
    state = checkpoint.read(tmp_path / "training.pt", expected=("average",))
    kept = checkpoint.load(base).state_dict()
    assert all(
        torch.equal(kept[name], value.half().float())
        for name, value in state["average"].items()
        if name in kept
    )


@pytest.mark.parametrize("steps", [6, 2**62])
def test_a_base_that_has_all_its_rounds_is_not_begun_with(tmp_path, steps):
    base = tmp_path / "base.safetensors"
    checkpoint.save(base, NitroGen.preset("student"))
    (tmp_path / "training.json").write_text(json.dumps({"steps": steps, "seconds": 1.0}))
    made = Pretraining(tmp_path / "more", small(), start=base, num_threads=1)
    with pytest.raises(ValueError, match=r"has \d+ rounds already, and 2 are wanted in all"):
        made.run(ignore, until_round=2)


def test_a_base_of_looks_that_there_are_not_is_refused_before_its_folder_is_made(tmp_path):
    with pytest.raises(ValueError, match="There is no skin 'nowhere'"):
        Pretraining(tmp_path / "base", PretrainingConfig(skins=("neon", "nowhere")))
    assert not any(tmp_path.iterdir())


def test_what_is_held_out_is_in_no_base():
    assert not {*SEEN_SKINS, *SEEN_BEFORE} & set(HELD_OUT_SKINS)
    assert sorted([*SEEN_SKINS, *SEEN_BEFORE, *HELD_OUT_SKINS]) == sorted(skins.names())


def test_the_shipped_base_is_the_students_shape_and_small():
    from nitrogen_adapter.presets import SHIPPED, preset_config

    assert SHIPPED["base"].stat().st_size < 15_000_000
    model = NitroGen.from_checkpoint(SHIPPED["base"])
    assert model.config == preset_config("student")


def test_directions_are_shared_between_neighbouring_classes():
    angles = torch.linspace(-3.1, 3.1, 97)
    aim = torch.stack([angles.cos(), angles.sin()], dim=1)
    shares = direction_shares(aim)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(97))
    assert ((shares > 0).sum(dim=1) <= 2).all()
    classes = 2 * np.pi * torch.arange(32) / 32
    corners = torch.stack([classes.cos(), classes.sin()], dim=1)
    middle = torch.nn.functional.normalize(shares @ corners, dim=1)
    assert ((middle * aim).sum(dim=1) > 0.999).all()


def test_a_feature_counts_alike_on_any_scale_and_a_constant_one_not_at_all():
    rng = np.random.default_rng(8)
    head = TeacherHead(4, moves=3, senses=5)
    torch.nn.init.zeros_(head.senses.weight)
    torch.nn.init.zeros_(head.senses.bias)
    senses = rng.normal(size=(64, 5)).astype(np.float32)
    senses[:, 4] = 0.0
    move, aim = np.zeros((64, 3), np.float32), np.ones((64, 2), np.float32)

    def loss(*scales):
        targets = TeacherTargets(move, aim, senses * np.array(scales, np.float32))
        return head.loss(torch.zeros((64, 2, 2)), targets).item()

    plain = loss(1, 1, 1, 1, 1)
    assert loss(10, 0.5, 1, 3, 1) == pytest.approx(plain, rel=1e-5)
    assert loss(1, 1, 1, 0, 1) == pytest.approx(plain, rel=0.02)


def test_a_step_of_one_example_alone_says_nothing_of_features_and_spoils_nothing():
    seen = torch.ones((1, 5), requires_grad=True)
    loss = relative_error(seen, torch.zeros((1, 5)), over=(0,))
    loss.backward()
    assert loss.item() == 0.0 and not seen.grad.any()
    pictures = torch.rand((1, 2, 4, 4))  # one example has many places, which vary
    assert relative_error(pictures + 1.0, pictures, over=(0, 2, 3)).item() > 1.0


def test_rows_of_labels_are_the_teachers_actions():
    records = begun(2)
    actions = Takeover(ExpertAgent(), SETTINGS, count=2).chunks(records, steps=18)
    states = LabelledStates(records, actions, None)
    batch = StateExamples(states, Looks(SETTINGS, ["ice"]), seed=0).batch(np.arange(2))
    np.testing.assert_allclose(gamepad.unpack(batch.actions), actions, atol=1e-6)


def test_an_advantage_is_what_came_more_than_expected():
    looked = Looked(
        features=torch.zeros(2, 1, 1, 1),
        chunks=torch.zeros(2, 1, 1, 1),
        likelihoods=torch.zeros(2, 1),
        rewards=torch.tensor([[1.0], [2.0]]),
        ended=torch.tensor([[False], [True]]),
        values=torch.tensor([[0.5], [0.5], [9.0]]),
    )
    # The second look ends an episode, so what is expected after it does not count.
    second = 2.0 - 0.5
    first = 1.0 + 0.9 * 0.5 - 0.5 + 0.9 * 0.8 * second
    found = advantages_of(looked, discount=0.9, smoothing=0.8)
    assert found.flatten().tolist() == pytest.approx([first, second])


def test_a_ratio_beyond_the_clip_teaches_no_more():
    ratio = torch.tensor([1.5], requires_grad=True)
    surrogate(ratio, torch.tensor([1.0]), clip=0.1).backward()
    assert ratio.grad.item() == 0.0
    surrogate(ratio, torch.tensor([-1.0]), clip=0.1).backward()
    assert ratio.grad.item() > 0.0


SMALL = FineTuningConfig(updates=2, critic_updates=1, arenas=4, looks=3, batch_size=6)


def test_fine_tuning_goes_on_where_it_was_left_and_what_sees_stays(tmp_path):
    def fresh():
        return NitroGen.preset("tiny", seed=0)

    FineTuning(fresh(), tmp_path, replace(SMALL, updates=2), settings=SETTINGS).run(ignore)
    again = FineTuning(fresh(), tmp_path, SMALL, settings=SETTINGS)
    again.run(ignore)
    assert again.update == 2
    tuned, before = checkpoint.load(again.result).state_dict(), fresh().state_dict()
    changed = {name.partition(".")[0] for name in before if not tuned[name].equal(before[name])}
    assert "model" in changed
    assert not changed & {"vision_encoder", "vl_self_attention_model"}
    with pytest.raises(ValueError, match="other settings"):
        FineTuning(fresh(), tmp_path, replace(SMALL, clip=0.5), settings=SETTINGS).run(ignore)


def test_a_student_stays_as_it_is_while_its_critic_knows_nothing(tmp_path):
    before = NitroGen.preset("tiny", seed=0).state_dict()
    config = replace(SMALL, critic_updates=2)
    tuning = FineTuning(NitroGen.preset("tiny", seed=0), tmp_path, config, settings=SETTINGS)
    critic = {name: value.clone() for name, value in tuning._critic.state_dict().items()}
    after = tuning.run(ignore).state_dict()
    assert all(after[name].equal(before[name]) for name in before)
    assert not any(tuning._critic.state_dict()[name].equal(critic[name]) for name in critic)


class PlugPulledError(Exception):
    """Ends a run as a kill would."""


def die(*arguments):
    raise PlugPulledError


def fine_tuned(folder, *, killed_in=None):
    """A student's bytes after three rounds, in one go or killed while a round is played."""
    config = replace(SMALL, updates=3)
    tuning = FineTuning(NitroGen.preset("tiny", seed=0), folder, config, settings=SETTINGS)
    if killed_in is not None:
        look, seen = tuning._look, []

        def dying():
            seen.append(look())
            if len(seen) > killed_in:
                raise PlugPulledError
            return seen[-1]

        tuning._look = dying
        with pytest.raises(PlugPulledError):
            tuning.run(ignore)
        return fine_tuned(folder)
    tuning.run(ignore)
    return tuning.result.read_bytes()


@pytest.mark.parametrize("look", [1, 4, 8])
def test_a_fine_tuning_that_was_killed_ends_with_the_bytes_of_one_that_was_not(tmp_path, look):
    assert fine_tuned(tmp_path / "killed", killed_in=look) == fine_tuned(tmp_path / "whole")


def test_a_second_fine_tuning_in_one_folder_is_refused_and_a_deleted_folder_is_said(tmp_path):
    def fresh():
        return FineTuning(NitroGen.preset("tiny"), tmp_path / "run", SMALL, settings=SETTINGS)

    tuning, second = fresh(), fresh()

    def meddle(words, share):
        with pytest.raises(BusyError, match="Another run is writing into"):
            second.run(ignore)
        shutil.rmtree(tmp_path / "run")

    with pytest.raises(GoneError, match="was deleted or moved while the run was going on"):
        tuning.run(meddle)


def test_a_damaged_state_of_a_fine_tuning_is_refused_in_a_sentence(tmp_path):
    fine_tuned(tmp_path)
    state = checkpoint.read(tmp_path / "fine_tuning.pt", expected=("model",))
    damages = {
        "games": [torch.zeros(4, 9, dtype=torch.uint8), state["games"][:3], 5],
        "update": ["x", -1, None],
        "seconds": ["x", float("nan")],
        "optimiser": [{}, {"state": 3, "param_groups": []}],
        "critic": [{}, {"0.weight": 3}],
        "model": [{"x": 1}],
    }
    for name, values in damages.items():
        for value in values:
            checkpoint.write(tmp_path / "fine_tuning.pt", {**state, name: value})
            with pytest.raises(ValueError, match=r"fine_tuning\.pt is damaged, or"):
                fine_tuned(tmp_path)


def test_a_state_of_before_games_were_kept_goes_on_with_new_games(tmp_path):
    fine_tuned(tmp_path)
    state = checkpoint.read(tmp_path / "fine_tuning.pt", expected=("model",))
    del state["games"]
    checkpoint.write(tmp_path / "fine_tuning.pt", {**state, "update": 2})
    assert len(fine_tuned(tmp_path)) > 0


def test_a_substitution_takes_the_channels_that_it_is_told(tmp_path):
    agent = Substitution(IdleAgent(), ExpertAgent(), ["aim", "dash"])
    arenas = Arenas(SETTINGS, count=3)
    arenas.begin(np.ones(3, bool), np.arange(6).reshape(3, 2))
    seen = Observations(state=arenas.observe()._asdict())
    own, other, mixed = (
        one.act(seen, range(3)).copy() for one in (IdleAgent(), ExpertAgent(), agent)
    )
    assert np.array_equal(mixed[:, :2], own[:, :2])
    assert np.array_equal(mixed[:, 2:], other[:, 2:])
    with pytest.raises(ValueError, match="no channel 'legs'; expected one of move, aim, dash"):
        Substitution(IdleAgent(), ExpertAgent(), ["legs"])
