"""The predictor and the policy on top: one pass for a batch, chunks, several frames, real time."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from arena_breaker_agents.nitrogen import NitroGenPolicy
from arena_breaker_agents.registry import make_agent
from arena_breaker_gym.rollout import rollout
from arena_breaker_gym.rollout.agent import Observations
from arena_breaker_gym.settings import Settings
from nitrogen_adapter import NitroGen, checkpoint
from nitrogen_adapter.config import NitroGenConfig
from nitrogen_adapter.inference import LocalPredictor
from nitrogen_adapter.presets import preset_config
from nitrogen_adapter.steady import MOST_PLAYERS, MOST_ROWS, STRIP, players_in_a_block
from nitrogen_adapter.vision import normalise


def frames(count, seed=0, side=64):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def lively(config=None):
    """A model with fresh weights whose chunks differ from frame to frame."""
    torch.manual_seed(0)
    model = NitroGen(config or preset_config("tiny")).eval()
    torch.nn.init.normal_(model.action_decoder.layer2.W)
    return model


def changed(**parts):
    """The tiny configuration with entries of its dict replaced, section by section."""
    content = preset_config("tiny").to_dict()
    for section, entries in parts.items():
        content[section] = {**content[section], **entries}
    return NitroGenConfig.from_dict(content)


class Calls(LocalPredictor):
    """A predictor that notes how many sessions each pass was for."""

    passes: list

    def predict(self, frames, sessions):
        self.passes = [*getattr(self, "passes", []), len(sessions)]
        return super().predict(frames, sessions)


@pytest.fixture
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("autocast", "threads"),
    [(False, 1), (True, 1), (False, 3), (False, 4), (True, 4), (False, 8)],
    indirect=["threads"],
)
@pytest.mark.parametrize("preset", ["tiny", "student"])
def test_what_a_session_gets_does_not_depend_on_how_many_play_beside_it(preset, autocast, threads):
    model = lively(preset_config(preset))
    shown = frames(70, side=model.config.vision.image_size)
    predictor = LocalPredictor(model, quiet=True, autocast=autocast)

    def told(rows):
        predictor.reset(range(70), 0)
        return predictor.predict(shown[rows], list(range(70))[: len(shown[rows])])

    whole = told(slice(None))
    for first, last in ((0, 1), (7, 8), (0, 2), (3, 6), (2, 7), (1, 34), (37, 70)):
        assert told(slice(first, last)).tobytes() == whole[first:last].tobytes()
    assert "forward" not in model.action_decoder.layer1.__dict__
    assert torch.get_num_threads() == threads


@given(st.integers(1, 2000))
def test_players_share_blocks_of_whole_strips_only(rows):
    players = players_in_a_block(rows)
    assert players == 1 or (players * rows % STRIP == 0 and players <= MOST_PLAYERS)
    assert players == 1 or players * rows <= MOST_ROWS


@pytest.mark.parametrize("autocast", [False, True])
def test_weights_that_change_in_place_count_at_the_next_look(autocast):
    model, shown = lively(preset_config("student")), frames(2, side=96)
    predictor = LocalPredictor(model, quiet=True, autocast=autocast)
    before = predictor.predict(shown, [0, 1])
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(0.5)
    after = predictor.predict(shown, [0, 1])
    fresh = LocalPredictor(model, quiet=True, autocast=autocast)
    assert after.tobytes() != before.tobytes()
    assert after.tobytes() == fresh.predict(shown, [0, 1]).tobytes()


def test_episodes_are_equal_bytes_however_many_are_played_side_by_side():
    def play(num_envs):
        policy = NitroGenPolicy(lively())
        game = {"pixel_size": 64}
        return rollout(policy, episodes=3, seed=1000, num_envs=num_envs, max_steps=40, env=game)

    reference = [one.final_hash for one in play(3)]
    for num_envs in (1, 2):
        assert [one.final_hash for one in play(num_envs)] == reference


def test_sessions_in_one_pass_get_what_each_gets_alone():
    shown = frames(3)
    together, alone = LocalPredictor(lively()), LocalPredictor(lively())
    for predictor in (together, alone):
        for session in range(3):
            predictor.reset([session], seed=10 + session)
    rows = together.predict(shown, [0, 1, 2])
    for session in (2, 0, 1):
        own = alone.predict(shown[session, None], [session])
        np.testing.assert_allclose(own[0], rows[session], atol=1e-4)
    assert rows.shape == (3, 18, 25)
    assert np.abs(rows[0] - rows[1]).max() > 1e-2


def test_noise_is_seeded_by_session_and_may_be_left_out():
    predictor, shown = LocalPredictor(lively()), frames(1)

    def chunk(seed):
        predictor.reset([0], seed)
        return predictor.predict(shown, [0])

    assert np.array_equal(chunk(1), chunk(1))
    assert np.abs(chunk(1) - chunk(2)).max() > 1e-2
    quiet = LocalPredictor(lively(), quiet=True)
    assert np.array_equal(quiet.predict(shown, [0]), quiet.predict(shown, [1]))


def test_a_model_of_several_frames_is_shown_each_sessions_own_earlier_ones():
    model = lively(
        changed(modality_cfg={"frame_per_sample": 2}, tokenizer_cfg={"max_sequence_length": 128})
    )
    predictor = LocalPredictor(model, quiet=True)
    first, second, third = frames(3)
    predictor.reset([0, 1], seed=0)
    predictor.predict(first[None], [0])
    predictor.predict(second[None], [0])
    both = predictor.predict(np.stack([third, third]), [0, 1])  # session 1 sees its first

    def direct(*shown):
        pixels = normalise(np.stack(shown))[None]
        return model.sample(pixels, noise=torch.zeros(1, 18, 25))[0].numpy()

    np.testing.assert_allclose(both[0], direct(second, third), atol=1e-4)
    np.testing.assert_allclose(both[1], direct(third), atol=1e-4)
    assert np.abs(both[0] - both[1]).max() > 1e-3
    predictor.reset([0], seed=0)
    np.testing.assert_allclose(predictor.predict(third[None], [0])[0], both[1], atol=1e-4)


def test_frames_of_another_size_are_scaled():
    predictor = LocalPredictor(lively(), quiet=True)
    flat = np.full((1, 100, 80, 3), 90, dtype=np.uint8)
    np.testing.assert_allclose(
        predictor.predict(flat, [0]), predictor.predict(flat[:, :64, :64], [1]), atol=1e-5
    )


def test_frames_that_may_not_be_written_to_are_read_all_the_same():
    predictor, shown = LocalPredictor(lively(), quiet=True), frames(1)
    locked = shown.copy()
    locked.flags.writeable = False
    assert np.array_equal(predictor.predict(locked, [0]), predictor.predict(shown, [1]))


def test_old_layouts_are_turned_to_buttons_first():
    new = lively()
    old = lively(changed(tokenizer_cfg={"old_layout": True}))
    rows = [LocalPredictor(model, quiet=True).predict(frames(1), [0]) for model in (new, old)]
    # The same weights put out the same 25 numbers; in the old layout the first four are sticks.
    np.testing.assert_array_equal(rows[1][..., :21], rows[0][..., 4:])
    np.testing.assert_array_equal(rows[1][..., 21:], rows[0][..., :4])


def test_bfloat16_is_close_to_single_precision():
    shown = frames(2)
    single = LocalPredictor(lively(), quiet=True).predict(shown, [0, 1])
    half = LocalPredictor(lively(), quiet=True, dtype=torch.bfloat16).predict(shown, [0, 1])
    assert np.abs(half - single).mean() < 0.05 * np.abs(single).mean()


def test_games_are_known_by_name_and_number():
    config = changed(
        tokenizer_cfg={"game_mapping_cfg": {"games": ["any", "arena", "maze"]}},
        model_cfg={},
    )
    roomy = config.to_dict()
    roomy["tokenizer_cfg"]["max_sequence_length"] = 65
    model = lively(NitroGenConfig.from_dict(roomy))
    shown = frames(1)

    def chunk(game):
        return LocalPredictor(model, quiet=True, game=game).predict(shown, [0])

    assert np.array_equal(chunk("maze"), chunk(2))
    assert np.array_equal(chunk(None), chunk("any"))
    assert np.abs(chunk("maze") - chunk("arena")).max() > 1e-3
    with pytest.raises(ValueError, match=r"knows no game 'chess' of its 3: any, arena, maze"):
        chunk("chess")
    with pytest.raises(ValueError, match="was not told games apart"):
        LocalPredictor(lively(), game="arena")


def shown_to(policy, pixels, arenas):
    return policy.act(Observations(pixels=pixels), arenas)


def test_a_policy_plays_its_chunk_and_looks_again():
    predictor = Calls(lively(), quiet=True)
    policy = NitroGenPolicy(predictor, n_action_steps=4)
    policy.reset([0, 1], seed=0)
    shown = frames(2)
    actions = [shown_to(policy, shown, [0, 1]) for _ in range(5)]
    looked = policy.was_queried([0, 1])
    assert predictor.passes == [2, 2]
    assert looked == [True, True]
    np.testing.assert_allclose(actions[4], actions[0], atol=1e-5)  # the same frame, looked at anew
    assert np.abs(actions[1] - actions[0]).max() > 1e-3
    shown_to(policy, shown, [0, 1])
    assert policy.was_queried([0, 1]) == [False, False]


def test_only_arenas_without_a_plan_are_looked_at():
    predictor = Calls(lively(), quiet=True)
    policy = NitroGenPolicy(predictor, n_action_steps=3)
    policy.reset([0, 1], seed=0)
    shown_to(policy, frames(1), [0])
    shown_to(policy, frames(2), [0, 1])
    assert predictor.passes == [1, 1]
    assert policy.was_queried([0, 1]) == [False, True]


def test_the_old_chunk_goes_on_while_the_new_one_is_awaited():
    model = lively()
    policy = NitroGenPolicy(model, n_action_steps=16, quiet=True)
    whole = NitroGenPolicy(model, n_action_steps=18, quiet=True)
    shown = frames(1)
    for one in (policy, whole):
        one.reset([0], seed=0)
    chunk = [shown_to(whole, shown, [0])[0] for _ in range(18)]
    np.testing.assert_array_equal(policy.action_while_waiting([0])[0], np.zeros(5))
    for _ in range(16):
        shown_to(policy, shown, [0])
    shown_to(policy, shown, [0])
    went_on = [policy.action_while_waiting([0])[0] for _ in range(4)]
    expected = [chunk[16], chunk[17], chunk[17], chunk[17]]
    np.testing.assert_allclose(went_on, expected, atol=1e-5)


def test_a_checkpoint_is_an_agent_by_name(tmp_path):
    checkpoint.save(tmp_path / "mine.pt", lively())
    agent = make_agent(f"nitrogen:{tmp_path / 'mine.pt'}")
    (episode,) = rollout(agent, episodes=1, max_steps=40)
    assert agent.name == "mine"
    assert episode.actions.shape == (40, 5)
    agent.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda m: NitroGenPolicy(m, n_action_steps=19),
            "n_action_steps must be from 1 to 18, got 19",
        ),
        (lambda m: NitroGenPolicy(m, steps=0), "steps is 0"),
        (lambda m: NitroGenPolicy(LocalPredictor(m), quiet=True), "has its options already"),
        (
            lambda m: LocalPredictor(m).predict(np.zeros((1, 64, 64), np.uint8), [0]),
            r"expected uint8 \(1, height, width, 3\)",
        ),
    ],
)
def test_bad_input_is_refused_in_one_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make(lively())


def test_options_follow_a_question_mark(tmp_path):
    checkpoint.save(tmp_path / "mine.pt", lively())
    agent = make_agent(f"nitrogen:{tmp_path / 'mine.pt'}?n_action_steps=12&steps=2&quiet=true")
    assert (agent.name, agent.n_action_steps) == ("mine?n_action_steps=12&steps=2&quiet=true", 12)
    assert (agent.predictor.steps, agent.predictor.quiet) == (2, True)
    for said, message in {
        "n_action_steps=many": r"n_action_steps cannot be 'many'",
        "dtype=int8": "dtype cannot be 'int8' .expected one of float32, bfloat16, float16",
        "quiet=perhaps": "expected true or false",
        "n_actoin_steps=3": "no option 'n_actoin_steps'; .*n_action_steps",
        "n_action_steps=19": "n_action_steps must be from 1 to 18",
    }.items():
        with pytest.raises(ValueError, match=message):
            make_agent(f"nitrogen:{tmp_path / 'mine.pt'}?{said}")


def test_a_model_plays_as_suits_it_unless_told_otherwise(tmp_path):
    def how(source):
        agent = make_agent(f"nitrogen:{source}")
        return agent.n_action_steps, agent.predictor.quiet, agent.pixel_size

    checkpoint.save(tmp_path / "mine.pt", lively())
    assert how(tmp_path / "mine.pt") == (9, False, None)
    assert how("base") == (3, True, 96)
    assert how("base?quiet=false&n_action_steps=18") == (18, False, 96)


def test_who_learned_from_frames_of_one_size_is_shown_these_where_nothing_is_said():
    agent = make_agent("nitrogen:base")
    sizes = [
        rollout(agent, episodes=1, max_steps=2, env=env)[0].settings.pixel_size
        for env in (None, {"skin": "ice"}, {"pixel_size": 128}, Settings())
    ]
    assert sizes == [96, 96, 128, 256]


def test_the_old_name_of_n_action_steps_works_and_warns(tmp_path):
    checkpoint.save(tmp_path / "mine.pt", NitroGen.preset("tiny"))
    with pytest.warns(DeprecationWarning, match="execute= is now called n_action_steps="):
        assert make_agent(f"nitrogen:{tmp_path / 'mine.pt'}?execute=12").n_action_steps == 12
    with pytest.warns(DeprecationWarning, match="execute is now called n_action_steps"):
        assert NitroGenPolicy(NitroGen.preset("tiny"), execute=3).n_action_steps == 3
