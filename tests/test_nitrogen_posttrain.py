"""Post-training: what learns, what stays, and that an interruption changes nothing."""

import dataclasses

import numpy as np
import pytest
import torch

from nitrogen_adapter.examples import ArrayExamples, cache_features
from nitrogen_adapter.gamepad import mirror, pack, unpack
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.posttrain import Posttrainer, PosttrainSettings
from nitrogen_adapter.sight import SightHead, Sights
from nitrogen_adapter.vision import normalise


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors gain nothing from threads, and lose much where tests run side by side."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


SHORT = PosttrainSettings(epochs=3, batch_size=4, draws=2, warmup_steps=2, jitter=0.1)


def lamps(count, seed=0):
    """Frames with a lamp on the left or on the right, actions that aim at it, and where it is."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(90, 110, (count, 64, 64, 3), dtype=np.uint8)
    sights = np.full((count, 3, 3), -1.0, dtype=np.float32)
    sides = rng.integers(0, 2, count)
    for i, side in enumerate(sides):
        column, row = 8 + 40 * side, int(rng.integers(8, 48))
        frames[i, row : row + 8, column : column + 8] = (250, 220, 40)
        sights[i, :2] = [[0.5, 0.5, 0], [(column + 4) / 64, (row + 4) / 64, 1]]
    actions = np.zeros((count, 18, 5), dtype=np.float32)
    actions[..., 2] = 2.0 * sides[:, None] - 1.0
    return ArrayExamples(frames, pack(actions), sights)


def trainer(settings=SHORT, *, examples=None, seed=0):
    return Posttrainer(NitroGen.preset("tiny", seed=seed), examples or lamps(10), settings)


def weights_of(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_equal(first, second):
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


@pytest.mark.parametrize("sight_weight", [0.0, 1.0])
def test_a_resumed_run_ends_bit_for_bit_as_an_uninterrupted_one(tmp_path, sight_weight):
    settings = dataclasses.replace(SHORT, sight_weight=sight_weight)
    whole, first = trainer(settings), trainer(settings)
    whole.run()
    first.run(until_step=4)
    first.save(tmp_path / "run.pt")
    second = trainer(settings, seed=77)  # other fresh weights, which resuming must overwrite
    second.resume(tmp_path / "run.pt")
    torch.rand(5)  # the caller's own random numbers are none of the run's business
    second.run()
    assert second.step == whole.step == 9
    assert_equal(weights_of(whole.model), weights_of(second.model))
    one, other = whole.state_dict(), second.state_dict()
    assert_equal(one["average"], other["average"])
    assert torch.equal(one["random"], other["random"])


def test_training_leaves_torchs_global_random_numbers_alone():
    state = torch.random.get_rng_state()
    trainer().run()
    assert torch.equal(torch.random.get_rng_state(), state)


def aim_of(model, examples):
    """The side each frame's chunk aims to, -1 to 1, and the side it should."""
    noise = torch.zeros((len(examples), 18, 25))
    chunk = model.sample(normalise(examples.inputs)[:, None], noise=noise)
    return unpack(chunk.numpy())[..., 2], unpack(examples.actions)[..., 2]


LESSON = PosttrainSettings(
    epochs=25,
    batch_size=16,
    draws=1,
    learning_rate=1e-2,
    mirror=False,
    weights={"RIGHT_X": 10.0},
    sight_weight=1.0,
    sight_kinds=2,
)


def test_it_learns_to_aim_at_what_it_sees():
    model = trainer(LESSON, examples=lamps(64)).run()
    assert not model.training
    aim, wanted = aim_of(model, lamps(40, seed=1))
    assert (np.sign(aim) == wanted).mean() > 0.9
    assert np.abs(aim).mean() > 0.5


def test_a_head_that_names_every_cell_rightly_is_hardly_wrong():
    sights = Sights.of(lamps(6).sights)
    right, wrong = SightHead(4, kinds=2, grid=8), SightHead(4, kinds=2, grid=8)
    features = torch.zeros(6, 64, 4)
    for frame, (player, lamp) in enumerate(sights.places[:, :2]):
        for kind, place in enumerate((player, lamp)):
            column, row = (place * 8).long().tolist()
            features[frame, row * 8 + column, kind] = 1.0
            features[frame, row * 8 + column, 2:] = 4.0 * (place - player)
    with torch.no_grad():
        for head, sign in ((right, 1.0), (wrong, -1.0)):
            head.what.weight.copy_(sign * 20.0 * torch.eye(2, 4))
            head.what.bias.fill_(-10.0 * sign)
            head.where.weight.copy_(torch.eye(4)[2:])
            head.where.bias.zero_()
    assert right.loss(features, sights).item() < 1e-3
    assert wrong.loss(features, sights).item() > 5.0


def test_sights_reach_all_that_sees():
    settings = dataclasses.replace(SHORT, mirror=False, jitter=0.0)
    runs = [trainer(dataclasses.replace(settings, sight_weight=w)) for w in (0.0, 50.0)]
    for run in runs:
        run.run(until_step=1)
    first, second = (run.model.state_dict() for run in runs)
    changed = {name for name, value in first.items() if not torch.equal(value, second[name])}
    assert "vision_encoder.layers.0.weight" in changed
    assert any(name.startswith("vl_self_attention_model") for name in changed)


def test_what_sees_stays_as_it_is_when_frozen():
    model = NitroGen.preset("tiny")
    before = weights_of(model)
    features = cache_features(model, lamps(10))
    Posttrainer(model, features, dataclasses.replace(SHORT, freeze=True)).run()
    changed = {name for name, value in weights_of(model).items() if not value.equal(before[name])}
    assert changed
    assert not [n for n in changed if n.startswith(("vision_encoder", "vl_self_attention"))]
    assert {name.split(".")[0] for name in changed} == {
        "model",
        "action_encoder",
        "action_decoder",
        "position_embedding",
    }


def test_a_frozen_part_looks_without_dropout_while_the_rest_is_trained():
    model = NitroGen.preset("tiny")
    model.freeze()
    model.train()
    pixels = normalise(lamps(2).inputs)[:, None]
    assert torch.equal(model.encode(pixels), model.encode(pixels))
    assert model.model.training


def test_cached_features_are_what_the_model_sees_and_mirror_images_can_follow():
    model, examples, told = NitroGen.preset("tiny").eval(), lamps(5), []
    cached = cache_features(
        model, examples, mirror=True, batch_size=2, on_batch=lambda *now: told.append(now)
    )
    assert cached.inputs.dtype == np.float16
    assert cached.inputs.shape == (10, 64, 32)
    frames = np.concatenate([examples.inputs, examples.inputs[:, :, ::-1]])
    seen = model.encode(normalise(frames)[:, None]).detach().numpy()
    np.testing.assert_allclose(cached.inputs, seen, atol=5e-3)
    np.testing.assert_array_equal(cached.actions[5:], mirror(examples.actions))
    assert told[-1] == (10, 10)


def test_mirroring_shows_both_sides_though_only_one_was_recorded():
    examples = lamps(64)
    right = unpack(examples.actions)[:, 0, 2] > 0
    one_sided = ArrayExamples(*(part[right] for part in examples.batch(np.arange(64))))
    settings = dataclasses.replace(LESSON, mirror=True, epochs=30)
    model = trainer(settings, examples=one_sided).run()
    aim, wanted = aim_of(model, examples)
    assert (np.sign(aim) == wanted).mean() > 0.9


def test_examples_may_be_made_only_when_asked_for():
    class Endless:
        """A million frames, none of which exists before it is asked for."""

        def __len__(self):
            return 1_000_000

        def batch(self, rows):
            return lamps(len(rows), seed=int(rows[0])).batch(np.arange(len(rows)))

    run = trainer(dataclasses.replace(SHORT, epochs=1), examples=Endless())
    run.run(until_step=2)
    assert run.step == 2
    assert run.total_steps == 250_000


def test_progress_counts_up_to_the_end_and_the_learning_rate_warms_up_and_falls():
    seen = []
    trainer(dataclasses.replace(SHORT, learning_rate=1.0)).run(seen.append)
    assert [p.step for p in seen] == list(range(1, 10))
    assert seen[-1].fraction == 1.0
    assert all(p.total_steps == 9 and p.examples_per_second > 0 for p in seen)
    rates = [p.learning_rate for p in seen]
    assert rates[0] == pytest.approx(0.5)
    assert rates[1] > rates[0]
    assert rates[1:] == sorted(rates[1:], reverse=True)
    flat = []
    trainer(dataclasses.replace(SHORT, schedule="constant")).run(flat.append)
    assert {p.learning_rate for p in flat[2:]} == {SHORT.learning_rate}


def test_a_clock_ends_the_run_and_the_learning_rate_with_it():
    seen = []
    settings = dataclasses.replace(SHORT, epochs=100_000, max_seconds=0.5)
    run = trainer(settings)
    run.run(seen.append)
    assert run.seconds >= 0.5
    assert run.step < run.total_steps
    assert seen[-1].fraction == 1.0
    assert seen[-1].learning_rate < 0.2 * settings.learning_rate


def test_the_average_of_a_short_run_has_left_its_start():
    run = trainer(dataclasses.replace(SHORT, epochs=10))
    start = weights_of(run.model)
    run.run(until_step=29)
    name = "action_decoder.layer2.W"
    learned = run.state_dict()["parameters"][name].clone()
    average = run.state_dict()["average"][name]
    assert not torch.equal(average, learned)
    assert (average - learned).norm() < 0.5 * (start[name] - learned).norm()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PosttrainSettings(draws=0), "draws is 0; expected at least 1"),
        (lambda: PosttrainSettings(schedule="steps"), "schedule is 'steps'; expected one of"),
        (lambda: PosttrainSettings(weights={"SPACE": 2.0}), "weights names 'SPACE'"),
        (lambda: ArrayExamples(np.zeros((3, 1)), np.zeros((2, 1))), "3 inputs, 2 action chunks"),
        (
            lambda: Posttrainer(
                NitroGen.preset("tiny"),
                ArrayExamples(lamps(4).inputs, lamps(4).actions),
                PosttrainSettings(sight_weight=1.0),
            ).run(),
            "come without sights",
        ),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_run_is_not_resumed_under_other_settings_or_from_another_file(tmp_path):
    run = trainer()
    run.run(until_step=1)
    run.save(tmp_path / "run.pt")
    with pytest.raises(ValueError, match="had other settings"):
        trainer(dataclasses.replace(SHORT, seed=1)).resume(tmp_path / "run.pt")
    with pytest.raises(ValueError, match="had other examples: 10, not 11"):
        trainer(examples=lamps(11)).resume(tmp_path / "run.pt")
    (tmp_path / "run.pt").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="truncated or not a checkpoint"):
        trainer().resume(tmp_path / "run.pt")
