"""Post-training: what learns, what stays, and that an interruption changes nothing."""

import dataclasses

import numpy as np
import pytest
import torch

from nitrogen_adapter.data.examples import ArrayExamples, AuxiliaryHead, AuxiliaryTargets
from nitrogen_adapter.data.features import cache_features
from nitrogen_adapter.gamepad import mirror, pack, unpack
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.presets import preset_config
from nitrogen_adapter.training.config import Augmentation, TrainingConfig
from nitrogen_adapter.training.lora import merge_adapters
from nitrogen_adapter.training.objective import action_weights
from nitrogen_adapter.training.processes import Processes
from nitrogen_adapter.training.trainer import Trainer
from nitrogen_adapter.vision import normalise


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors gain nothing from threads, and lose much where tests run side by side."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


COLOURS = Augmentation(brightness=0.1, saturation=0.1)
SHORT = TrainingConfig.student(
    epochs=3, batch_size=4, warmup_steps=2, augment=COLOURS, auxiliary_weight=0.0
)


def lamps(count, seed=0):
    """Frames with a lamp on the left or on the right, actions that aim at it, and where it is."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(90, 110, (count, 64, 64, 3), dtype=np.uint8)
    auxiliary = np.full((count, 3, 3), -1.0, dtype=np.float32)
    sides = rng.integers(0, 2, count)
    for i, side in enumerate(sides):
        column, row = 8 + 40 * side, int(rng.integers(8, 48))
        frames[i, row : row + 8, column : column + 8] = (250, 220, 40)
        auxiliary[i, :2] = [[0.5, 0.5, 0], [(column + 4) / 64, (row + 4) / 64, 1]]
    actions = np.zeros((count, 18, 5), dtype=np.float32)
    actions[..., 2] = 2.0 * sides[:, None] - 1.0
    return ArrayExamples(frames, pack(actions), auxiliary)


def trainer(settings=SHORT, *, examples=None, seed=0):
    return Trainer(NitroGen.preset("tiny", seed=seed), examples or lamps(10), settings)


def weights_of(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_equal(first, second):
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


@pytest.mark.parametrize("auxiliary_weight", [0.0, 1.0])
def test_a_resumed_run_ends_bit_for_bit_as_an_uninterrupted_one(tmp_path, auxiliary_weight):
    settings = dataclasses.replace(SHORT, auxiliary_weight=auxiliary_weight)
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


def without_dropout():
    config = preset_config("tiny")
    stack = dataclasses.replace(config.diffusion, dropout=0.0)
    seen = dataclasses.replace(config.vl_self_attention, dropout=0.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return NitroGen(dataclasses.replace(config, diffusion=stack, vl_self_attention=seen))


def losses_of(config):
    losses = []
    run = Trainer(without_dropout(), lamps(10), config)
    run.run(lambda now: losses.append(now.loss))
    return losses


@pytest.mark.parametrize("pieces", [2, 3])
def test_a_step_taken_in_pieces_is_the_same_step(pieces):
    augmented = dataclasses.replace(SHORT, augment=Augmentation.published())
    whole, parts = (
        losses_of(dataclasses.replace(augmented, accumulate=count)) for count in (1, pieces)
    )
    np.testing.assert_allclose(parts, whole, rtol=1e-4)


@pytest.mark.parametrize(
    ("split", "attended"), [("action_head", True), ("action_head+attention", False)]
)
def test_what_was_seen_ahead_teaches_what_frames_do(split, attended):
    config = dataclasses.replace(
        SHORT, split=split, mirror=False, augment=Augmentation(), learning_rate=1e-2
    )
    frames, ahead = [], []
    model, other = without_dropout(), without_dropout()
    first = Trainer(model, lamps(10), config)
    seen = cache_features(other, lamps(10), attended=attended)
    second = Trainer(other, seen, config)
    first.run(lambda now: frames.append(now.loss))
    second.run(lambda now: ahead.append(now.loss))
    np.testing.assert_allclose(frames, ahead, rtol=1e-2)
    assert len(set(frames)) == len(frames)
    start = weights_of(without_dropout())
    changed = {n.split(".")[0] for n, v in weights_of(other).items() if not v.equal(start[n])}
    assert ("vl_self_attention_model" in changed) == (not attended)
    assert "vision_encoder" not in changed


def test_several_frames_are_mirrored_and_augmented_together():
    sizes = dataclasses.replace(preset_config("tiny"), frame_per_sample=2, max_sequence_length=128)
    one = lamps(8)
    two = np.stack([one.inputs, one.inputs[::-1]], axis=1)
    config = dataclasses.replace(SHORT, augment=Augmentation.published())
    run = Trainer(NitroGen(sizes), ArrayExamples(two, one.actions), config)
    told = []
    run.run(told.append)
    assert len(told) == run.total_steps == 6


def test_every_example_of_a_step_has_one_place_among_pieces_and_processes():
    for processes, pieces, count in ((1, 1, 7), (2, 3, 32), (3, 2, 4), (4, 1, 2)):
        parts = [
            part
            for rank in range(processes)
            for part in Processes(rank=rank, count=processes).share(count, pieces)
        ]
        assert [n for first, end in parts for n in range(first, end)] == list(range(count))
        sizes = [end - first for first, end in parts]
        assert len(sizes) == processes * pieces and max(sizes) - min(sizes) <= 1


def test_recomputing_blocks_changes_nothing():
    plain, recomputed = (
        losses_of(dataclasses.replace(SHORT, gradient_checkpointing=on)) for on in (False, True)
    )
    np.testing.assert_allclose(plain, recomputed, rtol=1e-5)


def test_mixed_precision_learns_much_the_same_with_weights_in_single_precision():
    exact, mixed = (
        losses_of(dataclasses.replace(SHORT, precision=precision))
        for precision in ("float32", "bfloat16")
    )
    assert exact != mixed
    np.testing.assert_allclose(exact, mixed, rtol=0.05)
    run = trainer(dataclasses.replace(SHORT, precision="bfloat16"))
    run.run(until_step=1)
    assert {p.dtype for p in run.model.parameters()} == {torch.float32}


def test_only_what_learns_gets_gradients_and_optimiser_states():
    run = trainer(dataclasses.replace(SHORT, split="action_head"))
    run.run(until_step=1)
    learning = run.model.learning()
    assert not [name for name in learning if name.startswith(("vision_encoder", "vl_self"))]
    assert run.learning() == int(run.model.trainable_parameters("action_head"))
    for name, parameter in run.model.named_parameters():
        assert (parameter.grad is not None) == (name in learning)
    assert len(run.state_dict()["optimiser"]["state"]) == len(learning)


def test_the_averages_take_the_weights_place_and_give_it_back():
    run = trainer()
    run.run(until_step=5)
    weights = weights_of(run.model)
    with run.averaged() as model:
        assert not model.training
        inside = weights_of(model)
    assert_equal(weights_of(run.model), weights)
    assert inside.keys() == weights.keys()
    assert_equal(
        {name: inside[name] for name in run.state_dict()["average"]}, run.state_dict()["average"]
    )


def test_a_diverged_run_is_stopped_in_one_sentence():
    run = trainer(dataclasses.replace(SHORT, learning_rate=1e30, warmup_steps=0))
    with pytest.raises(ValueError, match=r"loss of step \d is (nan|inf); try a lower"):
        run.run()


@pytest.mark.parametrize("mlp", [False, True])
def test_adapters_alone_learn_and_merge_into_an_ordinary_model(tmp_path, mlp):
    config = dataclasses.replace(
        SHORT, split="action_head", lora_rank=2, lora_mlp=mlp, learning_rate=1e-2
    )
    run = trainer(config)
    before = weights_of(NitroGen.preset("tiny"))
    assert (
        run.learning() == run.adapters.count() < int(run.model.trainable_parameters("action_head"))
    )
    model = run.run()
    chunk = aim_of(model, lamps(4))[0]
    run.adapters.save(tmp_path / "adapter")
    run.adapters.merge()
    np.testing.assert_allclose(aim_of(model, lamps(4))[0], chunk, atol=1e-5)
    merged = weights_of(model)
    assert merged.keys() == before.keys()
    changed = {name for name in merged if not torch.equal(merged[name], before[name])}
    parts = ("attn1", "ff.net") if mlp else ("attn1",)
    assert changed and all(any(part in name for part in parts) for name in changed)
    assert all(name.startswith("model.") for name in changed)
    again = merge_adapters(NitroGen.preset("tiny"), tmp_path / "adapter").eval()
    np.testing.assert_allclose(aim_of(again, lamps(4))[0], chunk, atol=1e-5)


def test_an_adapter_run_resumes_to_the_bit(tmp_path):
    config = dataclasses.replace(SHORT, split="action_head", lora_rank=2)
    whole, first = trainer(config), trainer(config)
    whole.run()
    first.run(until_step=4)
    first.save(tmp_path / "run.pt")
    second = trainer(config)
    second.resume(tmp_path / "run.pt")
    second.run()
    assert_equal(weights_of(whole.model), weights_of(second.model))


def test_augmentation_keeps_frames_of_an_example_alike_and_in_range():
    pixels = normalise(lamps(4).inputs)[:, None].repeat(1, 2, 1, 1, 1)
    strong = Augmentation(
        brightness=0.9, contrast=0.9, saturation=0.9, hue=0.5, rotation=20.0, crop=0.5
    )
    drawn = strong.draw(4, torch.Generator().manual_seed(0))
    changed = strong.apply(pixels, drawn)
    assert changed.shape == pixels.shape
    assert changed.min() >= -1.0 and changed.max() <= 1.0
    assert torch.equal(changed[:, 0], changed[:, 1])
    assert not torch.allclose(changed[0, 0], changed[1, 0], atol=0.1)
    assert torch.equal(strong.apply(pixels[2:3], drawn[2:3]), changed[2:3])
    assert torch.equal(Augmentation().apply(pixels, drawn), pixels)


def test_each_kind_of_augmentation_does_what_its_name_says():
    pixels = torch.zeros(1, 1, 3, 9, 9)
    pixels[..., 4, 7] = torch.tensor([1.0, -1.0, -1.0])  # a red dot on the right
    most = torch.ones(1, 8)

    def changed(**strength):
        return Augmentation(**strength).apply(pixels, most)[0, 0]

    assert changed(brightness=0.5)[:, 0, 0].tolist() == pytest.approx([0.5] * 3)
    green = changed(hue=1 / 3)[:, 4, 7]
    assert green.argmax() != 0
    grey = Augmentation(saturation=1.0).apply(pixels, -most)[0, 0, :, 4, 7]
    assert torch.allclose(grey, grey.mean().expand(3), atol=1e-2)
    turned = changed(rotation=90.0)[0] - changed(rotation=90.0)[1]
    assert divmod(int(turned.argmax()), 9) in {(1, 4), (7, 4)}
    near = changed(crop=0.5)
    assert near.shape == (3, 9, 9)
    assert not torch.equal(near, pixels[0, 0])


def aim_of(model, examples):
    """The side each frame's chunk aims to, -1 to 1, and the side it should."""
    noise = torch.zeros((len(examples), 18, 25))
    chunk = model.sample(normalise(examples.inputs)[:, None], noise=noise)
    return unpack(chunk.numpy())[..., 2], unpack(examples.actions)[..., 2]


LESSON = TrainingConfig.student(
    epochs=25,
    batch_size=16,
    noise_samples=1,
    learning_rate=1e-2,
    mirror=False,
    weights={"RIGHT_X": 10.0},
    auxiliary_weight=1.0,
    auxiliary_kinds=2,
)


def test_it_learns_to_aim_at_what_it_sees():
    model = trainer(LESSON, examples=lamps(64)).run()
    assert not model.training
    aim, wanted = aim_of(model, lamps(40, seed=1))
    assert (np.sign(aim) == wanted).mean() > 0.9
    assert np.abs(aim).mean() > 0.5


def test_actions_that_are_played_late_or_never_may_count_less():
    model = NitroGen.preset("tiny")
    config = TrainingConfig(weights={"RIGHT_X": 10.0}, action_discount=0.5)
    weights = action_weights(model, config)
    assert weights.shape == (18, 25)
    torch.testing.assert_close(weights[1:], 0.5 * weights[:-1])
    assert sorted(set(weights[0].tolist())) == [1.0, 10.0]


def test_a_head_that_names_every_cell_rightly_is_hardly_wrong():
    auxiliary = AuxiliaryTargets.of(lamps(6).auxiliary)
    right, wrong = AuxiliaryHead(4, kinds=2, grid=8), AuxiliaryHead(4, kinds=2, grid=8)
    features = torch.zeros(6, 64, 4)
    for frame, (player, lamp) in enumerate(auxiliary.places[:, :2]):
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
    assert right.loss(features, auxiliary).item() < 1e-3
    assert wrong.loss(features, auxiliary).item() > 5.0


def test_sights_reach_all_that_sees():
    settings = dataclasses.replace(SHORT, mirror=False, augment=Augmentation())
    runs = [trainer(dataclasses.replace(settings, auxiliary_weight=w)) for w in (0.0, 50.0)]
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
    Trainer(model, features, dataclasses.replace(SHORT, split="action_head")).run()
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
    one_sided = ArrayExamples(*(part[right] for part in examples.batch(np.arange(64))[:3]))
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
    settings = dataclasses.replace(SHORT, epochs=100_000, max_seconds=1.5)
    run = trainer(settings)
    run.run(seen.append)
    assert run.seconds >= 1.5
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
        (lambda: TrainingConfig(noise_samples=0), "noise_samples is 0; expected at least 1"),
        (lambda: TrainingConfig(split="eyes"), "no split 'eyes'"),
        (lambda: TrainingConfig(split="all", lora_rank=4), "with LoRA only the adapters learn"),
        (lambda: TrainingConfig(batch_size=2, accumulate=3), "no more pieces than examples"),
        (lambda: TrainingConfig(learning_rate=0.0), "learning_rate is 0.0; expected above 0"),
        (
            lambda: TrainingConfig(weights={"EAST": -1.0}),
            "weight of EAST is -1.0; expected 0 or more",
        ),
        (lambda: TrainingConfig(precision="half"), "precision is 'half'; expected one of"),
        (lambda: Augmentation(crop=1.0), "crop is 1.0; expected 0 to 0.9"),
        (
            lambda: trainer(
                TrainingConfig(split="all"),
                examples=cache_features(NitroGen.preset("tiny"), lamps(4)),
            ),
            "also trains what saw them; give it frames",
        ),
        (lambda: merge_adapters(NitroGen.preset("tiny"), "nowhere"), "nowhere holds no adapters"),
        (lambda: TrainingConfig(action_discount=1.5), "action_discount is 1.5; expected above 0"),
        (lambda: TrainingConfig(schedule="steps"), "schedule is 'steps'; expected one of"),
        (lambda: TrainingConfig(weights={"SPACE": 2.0}), "weights names 'SPACE'"),
        (lambda: ArrayExamples(np.zeros((3, 1)), np.zeros((2, 1))), "3 inputs, 2 action chunks"),
        (
            lambda: Trainer(
                NitroGen.preset("tiny"),
                ArrayExamples(lamps(4).inputs, lamps(4).actions),
                TrainingConfig.student(),
            ),
            "come without auxiliary targets",
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
