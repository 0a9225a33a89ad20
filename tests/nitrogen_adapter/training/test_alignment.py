"""Feature alignment: a look that a model has never seen, told by one that it knows."""

import dataclasses

import numpy as np
import pytest
import torch

from arena_breaker_agents.expert import ExpertAgent
from arena_breaker_gym.bootcamp.plan import BootcampPlan
from arena_breaker_gym.bootcamp.student import (
    homework,
    practised_states,
    shown_states,
)
from arena_breaker_gym.distillation.collector import Looks
from arena_breaker_gym.rollout import rollout
from arena_breaker_gym.settings import Settings
from nitrogen_adapter.data.dataset import EpisodeExamples
from nitrogen_adapter.data.examples import ArrayExamples
from nitrogen_adapter.gamepad import pack
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.presets import preset_config
from nitrogen_adapter.training.alignment import Sight, alignment_loss, look_ahead
from nitrogen_adapter.training.config import Augmentation, TrainingConfig
from nitrogen_adapter.training.trainer import Trainer
from nitrogen_adapter.vision import normalise

SIDE = 32


def student(seed=0):
    """The laptop student's own network with fresh weights, on small frames."""
    config = preset_config("student")
    vision = dataclasses.replace(
        config.vision, image_size=SIDE, fovea=16, channels=16, mlp_width=64
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return NitroGen(dataclasses.replace(config, vision=vision))


def photographs(count, seed=0):
    """Frames with two lamps."""
    rng = np.random.default_rng(seed)
    frames = np.full((count, SIDE, SIDE, 3), 40, dtype=np.uint8)
    for frame, places in zip(frames, rng.integers(0, SIDE - 8, (count, 2, 2)), strict=True):
        for row, column in places:
            frame[row : row + 8, column : column + 8] = (250, 220, 40)
    return frames


def pairs(count, seed=0):
    """Their negatives, and what is seen of the photographs by a model that knows photographs."""
    frames = photographs(count, seed)
    sight = look_ahead(student().eval(), [frames])
    return ArrayExamples(255 - frames, pack(np.zeros((count, 18, 5), np.float32)), sight=sight)


CONFIG = TrainingConfig(
    epochs=4,
    split="vision_encoder",
    batch_size=16,
    learning_rate=1e-2,
    ema_decay=0.9,
    warmup_steps=5,
    precision="float32",
    weights=dict.fromkeys(("LEFT_X",), 0.0),
    alignment_weight=1.0,
)


@torch.no_grad()
def distance(model, reference, examples):
    """How far from the reference's view of the photographs a model's is, blindness being 1."""
    own, other = (
        one.eval().encode(normalise(frames)[:, None])
        for one, frames in ((model, examples.inputs), (reference, 255 - examples.inputs))
    )
    return float((own - other).square().mean() / other.var(dim=0).mean())


def test_a_model_comes_to_see_in_a_new_look_what_it_saw_in_the_old_one():
    model, reference, unseen = student(), student(), pairs(64, seed=1)
    before = distance(model, reference, unseen)
    Trainer(model, pairs(128), CONFIG).run()
    assert distance(model, reference, unseen) < 0.7 * before


def test_a_model_that_never_knew_the_look_is_told_by_one_that_does():
    lost, reference = student(seed=7), student()
    before = distance(lost, reference, pairs(64, seed=1))
    Trainer(lost, pairs(128), CONFIG).run()
    assert distance(lost, reference, pairs(64, seed=1)) < 0.7 * before


def test_a_training_with_pairs_goes_on_as_if_it_had_not_been_killed(tmp_path):
    config = dataclasses.replace(CONFIG, epochs=3)
    whole, first, second = (Trainer(student(), pairs(32), config) for _ in range(3))
    whole.run()
    first.run(until_step=3)
    first.save(tmp_path / "training.pt")
    second.resume(tmp_path / "training.pt")
    second.run()
    for own, other in zip(whole.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(own, other)


def test_sight_alone_asks_nothing_of_actions():
    model, reference, unseen = student(), student(), pairs(64, seed=1)
    before = distance(model, reference, unseen)
    config = dataclasses.replace(CONFIG, action_weight=0.0, split="all")
    Trainer(model, pairs(128), config).run()
    assert distance(model, reference, unseen) < 0.7 * before
    for own, other in zip(model.model.parameters(), reference.model.parameters(), strict=True):
        assert torch.allclose(own, other, atol=1e-3)  # but for AdamW's decay


@pytest.mark.parametrize("factor", [0.0, 4.0])
def test_a_part_learns_as_many_times_as_fast_as_its_factor_says(factor):
    def moved(**settings):
        model, before = student(), student()
        config = dataclasses.replace(
            CONFIG, weight_decay=0.0, ema_decay=0.0, warmup_steps=1, **settings
        )
        Trainer(model, pairs(16), config).run(until_step=1)
        parts = ("vision_encoder.patches", "vision_encoder.mlp")
        change = {
            name: (one - dict(before.named_parameters())[name]).abs().mean().item()
            for name, one in model.named_parameters()
        }
        return [sum(v for k, v in change.items() if k.startswith(part)) for part in parts]

    patches, mlp = moved()
    faster, same = moved(learning_rate_factors={"vision_encoder.patches": factor})
    assert same == pytest.approx(mlp)
    assert faster == pytest.approx(factor * patches, rel=0.05)


def test_a_factor_that_cannot_be_meant_is_refused():
    with pytest.raises(ValueError, match=r"The learning rate's factor of 'model\.' is -1"):
        TrainingConfig(learning_rate_factors={"model.": -1.0})


def test_a_training_in_which_nothing_counts_is_refused():
    with pytest.raises(ValueError, match="action_weight is 0 and nothing else counts"):
        TrainingConfig(action_weight=0.0)


def test_stored_runs_that_are_older_than_these_settings_go_on():
    assert not {"action_weight", "learning_rate_factors", "alignment_weight"} & {
        *TrainingConfig().to_dict()
    }
    assert TrainingConfig.aligning().to_dict()["action_weight"] == 0.0


def test_sight_that_is_missing_is_missed_before_anything_is_learned():
    with pytest.raises(ValueError, match="the examples do not tell how another look is seen"):
        Trainer(student(), dataclasses.replace(pairs(4), sight=None), CONFIG)
    with pytest.raises(ValueError, match="What another look shows is not mirrored"):
        TrainingConfig(mirror=True, alignment_weight=1.0)
    with pytest.raises(ValueError, match="What another look shows is not moved"):
        TrainingConfig(augment=Augmentation(crop=0.1), alignment_weight=1.0)


def test_homework_tells_what_the_student_sees_of_every_moment_in_the_familiar_look():
    tutor = ExpertAgent()
    episodes = rollout(tutor, episodes=2, seed=4, stage=(1, 2), max_steps=60)
    plan = BootcampPlan.for_student("base", seed=0, practice=0)
    model = NitroGen.preset("student").eval()
    examples, _ = homework(episodes, plan, model)
    new, known = (
        EpisodeExamples(episodes, plan.chunks, size=96, skin=skin).collect().inputs
        for skin in (plan.skin, plan.familiar_skin)
    )
    assert np.array_equal(new, examples.inputs)
    with torch.no_grad():
        seen = model.encode(normalise(known)[:, None]).numpy()
    assert np.abs(examples.sight.features - seen).max() < 0.05
    untold = homework(episodes, dataclasses.replace(plan, familiar_skin=None), model)[0]
    assert untold.sight is None


def test_what_a_tutor_showed_are_the_moments_of_the_homework():
    episodes = rollout(ExpertAgent(), episodes=2, seed=4, stage=(1, 2), max_steps=60)
    plan = BootcampPlan.for_student("base", seed=0)
    model = NitroGen.preset("student").eval()
    examples, _ = homework(episodes, plan, model)
    shown = shown_states(episodes, plan, model.config, examples.actions)
    looks = Looks(Settings(pixel_size=96), [plan.skin])
    assert np.array_equal(looks.draw_all(shown.records), examples.inputs)
    assert np.allclose(pack(shown.actions), examples.actions, atol=1e-6)


def test_a_student_that_practises_is_told_what_it_did_itself():
    def predict(frames):
        chunks = np.zeros((len(frames), 18, 5), np.float32)
        chunks[..., 0] = frames.mean(axis=(1, 2, 3), dtype=np.float32)[:, None] / 255.0
        return chunks

    settings = Settings(skin="neon", pixel_size=96)
    first, again, other = (
        practised_states(predict, settings, count=100, n_action_steps=3, seed=seed)
        for seed in (0, 0, 1)
    )
    assert len(first.records) >= 100 and first.teacher is None
    assert first.records.tobytes() == again.records.tobytes() != other.records.tobytes()
    frames = Looks(settings, ["neon"]).draw_all(first.records)
    assert np.array_equal(predict(frames), first.actions)


def test_what_is_seen_ahead_is_of_the_moment_that_it_comes_with():
    model, frames = student().eval(), photographs(40)
    whole, pieces = look_ahead(model, [frames]), look_ahead(model, [frames[:25], frames[25:]])
    for own, other in zip(whole, pieces, strict=True):
        assert own.dtype == np.float16 and own.shape == other.shape
        assert np.allclose(own, other, atol=0.01)
    rows = np.array([39, 3, 3])
    with torch.no_grad():
        seen = Sight.of(model, normalise(frames[rows]))
    told = Sight.wanted(whole.rows(rows), torch.device("cpu"))
    for own, other in zip(seen, told, strict=True):
        assert torch.allclose(own, other, atol=0.01)
    others = Sight(*(part.flip(0) for part in told))
    assert alignment_loss(seen, told) < 1e-3 < alignment_loss(seen, others)


def test_patches_may_learn_from_the_plain_frame_alone():
    def gradients(*, recentred_gradient):
        model = student()
        config = dataclasses.replace(CONFIG, clip_norm=1e9, recentred_gradient=recentred_gradient)
        before = {name: one.detach().clone() for name, one in model.named_parameters()}
        Trainer(model, pairs(16), config).run(until_step=1)
        return {
            name: one.detach() - before[name]
            for name, one in model.named_parameters()
            if name.startswith("vision_encoder.")
        }

    both, one = (gradients(recentred_gradient=whole) for whole in (True, False))
    assert both.keys() == one.keys()
    differ = {name for name in both if not torch.equal(both[name], one[name])}
    assert any(name.startswith("vision_encoder.patches") for name in differ)
    # Layers after the patches learn as before from both frames.
    assert torch.equal(*(moved["vision_encoder.mlp.0.weight"] for moved in (both, one)))


def test_patches_learn_alone_at_first_and_that_helps_the_rest_to_see():
    model, before, unseen = student(), dict(student().named_parameters()), pairs(64, seed=1)
    far = distance(model, student(), unseen)
    trainer = Trainer(model, pairs(128), dataclasses.replace(CONFIG, patches_first=0.5))
    trainer.run(until_step=trainer.total_steps // 2)
    moved = {name for name, one in model.named_parameters() if not torch.equal(one, before[name])}
    assert "vision_encoder.patches.0.weight" in moved
    assert not {name for name in moved if name.startswith("vision_encoder.mlp")}
    trainer.run()
    assert distance(model, student(), unseen) < 0.7 * far


def test_patches_that_could_not_learn_are_refused():
    for changes in ({"split": "action_head"}, {"alignment_weight": 0.0}):
        with pytest.raises(ValueError, match=r"patches_first is 0\.5, but patches learn nothing"):
            dataclasses.replace(CONFIG, patches_first=0.5, **changes)
    with pytest.raises(ValueError, match=r"patches_first is 1\.5; expected 0 to 1"):
        TrainingConfig.aligning(patches_first=1.5)
