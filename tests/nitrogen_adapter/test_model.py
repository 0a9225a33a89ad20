"""The model reproduces the public implementation and does its work once a frame."""

import json

import numpy as np
import pytest
import torch

from nitrogen_adapter import checkpoint
from nitrogen_adapter.config import ConfigError, PatchConfig
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.vision import normalise, window
from tests import DATA

GOLDEN = DATA / "nitrogen_golden"
CLOSE = {"atol": 1e-4, "rtol": 0.0}


@pytest.fixture(scope="module")
def golden():
    return checkpoint.load(GOLDEN / "checkpoint.pt")


@pytest.fixture(scope="module")
def expected():
    with np.load(GOLDEN / "expected.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


@pytest.fixture
def tiny():
    return NitroGen.preset("tiny").eval()


def frames(count, *, of=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((count, of, 3, 64, 64), generator=generator) * 2.0 - 1.0


def two_frame_model():
    """A model that looks at two frames and has learned to tell them apart."""
    import dataclasses

    config = dataclasses.replace(NitroGen.preset("tiny").config, max_sequence_length=128)
    torch.manual_seed(0)
    model = NitroGen(config).eval()
    torch.nn.init.normal_(model.action_decoder.layer2.W)
    return model


def test_samples_match_the_public_implementation(golden, expected):
    chunk = golden.sample(expected["pixel_values"][None], noise=expected["noise"])
    torch.testing.assert_close(chunk, expected["action_tensor"], **CLOSE)
    for name, decoded in golden.decode(chunk).items():
        torch.testing.assert_close(decoded, expected[f"decoded_{name}"], **CLOSE)


def test_the_tower_sees_what_the_public_one_sees(golden, expected):
    tokens = golden.see(expected["pixel_values"][None]).detach()
    torch.testing.assert_close(tokens, expected["vision_features"], **CLOSE)


def test_loss_and_gradients_match_the_public_implementation(golden, expected):
    golden.zero_grad()
    loss = golden.loss(
        expected["loss_pixel_values"],
        expected["loss_packed_actions"],
        expected["loss_noise"],
        expected["loss_t"],
    )
    loss.backward()
    assert loss.item() == pytest.approx(expected["loss"].item(), abs=1e-4)
    norms = json.loads((GOLDEN / "expected.json").read_text())["grad_norms"]
    parameters = dict(golden.named_parameters())
    assert len(norms) > 150
    for name, norm in norms.items():
        assert parameters[name].grad.norm().item() == pytest.approx(norm, abs=1e-4), name


def test_the_real_model_has_its_published_size():
    model = NitroGen.preset("nitrogen_500m", device="meta")
    assert model.num_parameters() == 493_631_513
    assert model.trainable_parameters() == 127_290_393
    assert sum(p.numel() for p in model.trainable_parameters()) == 127_290_393
    assert model.trainable_parameters("all") == model.num_parameters()
    model.freeze()
    assert not any("vision" in n or n.startswith("vl_") for n in model.learning())
    assert sum(p.numel() for p in model.learning().values()) == 127_290_393


def test_the_students_shapes_are_the_arenas(tiny):
    student = NitroGen.preset("student").eval()
    pixels = normalise(np.zeros((2, 96, 96, 3), dtype=np.uint8))[:, None]
    assert student.encode(pixels).shape == (2, 8, 128)
    chunk = student.sample(pixels, steps=1)
    assert chunk.shape == (2, 18, 25)
    assert {name: tuple(part.shape) for name, part in student.decode(chunk).items()} == {
        "j_left": (2, 18, 2),
        "j_right": (2, 18, 2),
        "buttons": (2, 18, 21),
    }
    assert student.num_parameters() < 7_500_000  # 15 MB in half precision


def test_frames_are_normalised_as_siglip_does():
    frame = np.array([[[0, 255, 51]]], dtype=np.uint8)
    pixels = normalise(frame)
    assert pixels.shape == (3, 1, 1)
    torch.testing.assert_close(pixels.flatten(), torch.tensor([-1.0, 1.0, -0.6]))


def test_what_was_seen_can_be_kept_and_used_instead_of_pixels(tiny):
    pixels, noise = frames(3), torch.randn((3, 18, 25), generator=torch.Generator().manual_seed(1))
    features = tiny.encode(pixels).detach()
    assert features.shape == (3, 64, 32)
    chunk = tiny.sample(pixels, noise=noise)
    torch.testing.assert_close(tiny.sample(features=features, noise=noise), chunk)
    half = tiny.sample(features=features.half(), noise=noise)
    torch.testing.assert_close(half, chunk, atol=2e-2, rtol=0.0)
    time = torch.tensor([0.1, 0.5, 0.9])
    torch.testing.assert_close(
        tiny.loss(None, chunk, noise, time, features=features),
        tiny.loss(pixels, chunk, noise, time),
    )


def test_several_draws_share_one_look_and_give_the_mean_of_their_losses(tiny):
    torch.nn.init.normal_(tiny.action_decoder.layer2.W)
    generator = torch.Generator().manual_seed(2)
    pixels, actions = frames(2), torch.rand((2, 18, 25), generator=generator)
    noise, time = torch.randn((6, 18, 25), generator=generator), torch.rand(6, generator=generator)
    together = tiny.loss(pixels, actions, noise, time, noise_samples=3)
    apart = [
        tiny.loss(pixels[i // 3, None], actions[i // 3, None], noise[i, None], time[i, None])
        for i in range(6)
    ]
    torch.testing.assert_close(together, torch.stack(apart).mean())


def test_a_number_that_counts_more_counts_more(tiny):
    generator = torch.Generator().manual_seed(4)
    actions, time = torch.rand((2, 18, 25), generator=generator), torch.zeros(2)
    noise = torch.randn((2, 18, 25), generator=generator)

    def loss(weights):
        return tiny.loss(frames(2), actions, noise, time, weights=weights)

    aim = torch.zeros(25)
    aim[23:] = 1.0
    torch.testing.assert_close(loss(torch.full((25,), 3.0)), loss(None))
    torch.testing.assert_close(loss(1.0 + 4.0 * aim), (25 * loss(None) + 8 * loss(aim)) / 33)


@torch.inference_mode()
def test_what_is_computed_once_a_frame_equals_computing_it_once_a_step(tiny):
    torch.nn.init.normal_(tiny.action_decoder.layer2.W)
    pixels, rows, steps = frames(2), torch.randn(2, 18, 25), 4
    once, tokens = tiny.sample(pixels, rows, steps), tiny.see(pixels)
    for step in range(steps):
        context = tiny.model.context(tiny.attend(tokens))
        rows = rows + tiny.velocity(rows, torch.full((2,), step / steps), context) / steps
    assert torch.equal(once, rows)


def test_a_frame_is_looked_at_once_however_many_steps_there_are(tiny):
    calls = dict.fromkeys(["tower", "attention", "keys"], 0)

    def count(name):
        def hook(*_):
            calls[name] += 1

        return hook

    tiny.vision_encoder.register_forward_hook(count("tower"))
    tiny.vl_self_attention_model.register_forward_hook(count("attention"))
    tiny.model.transformer_blocks[0].attn1.to_k.register_forward_hook(count("keys"))
    tiny.sample(frames(2), steps=7)
    assert calls == {"tower": 1, "attention": 1, "keys": 1}


def test_guidance_adds_what_the_earlier_frames_change():
    model, pixels = two_frame_model(), frames(2, of=2)
    noise = torch.randn((2, 18, 25), generator=torch.Generator().manual_seed(3))

    def flow(shown):
        return model.sample(shown, noise=noise, steps=1) - noise

    both, last = flow(pixels), flow(pixels[:, -1:])
    assert (both - last).abs().max() > 1e-3
    guided = model.sample(pixels, noise=noise, steps=1, guidance=2.5)
    torch.testing.assert_close(guided, noise + both + 2.5 * (both - last), atol=1e-4, rtol=1e-4)


def test_missing_frames_are_zeros_on_the_left_that_are_attended_to():
    model = two_frame_model()
    tokens = model.see(frames(1))[:, 0]
    padded = torch.cat([torch.zeros_like(tokens), tokens], dim=1)
    expected = model.vl_self_attention_model(padded)
    torch.testing.assert_close(model.encode(frames(1)), expected)


def test_the_same_generator_gives_the_same_chunk_and_no_global_number_is_drawn(tiny):
    state = torch.random.get_rng_state()
    first = tiny.sample(frames(1), generator=torch.Generator().manual_seed(5))
    second = tiny.sample(frames(1), generator=torch.Generator().manual_seed(5))
    NitroGen.preset("tiny", seed=9)
    torch.testing.assert_close(first, second, atol=0.0, rtol=0.0)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_training_times_follow_the_configured_distribution(tiny):
    times = tiny.draw_times(20_000, torch.Generator().manual_seed(0))
    # 1 - Beta(1.6, 0.8) has the mean 0.8 / 2.4 and the variance 1.6 * 0.8 / (2.4**2 * 3.4).
    assert times.mean().item() == pytest.approx(0.999 / 3, abs=0.01)
    assert times.var().item() == pytest.approx(1.28 / 19.584, abs=0.005)
    assert times.min() >= 0.0
    assert times.max() < 0.999


def test_seeds_make_fresh_weights():
    same = [NitroGen.preset("tiny", seed=s).state_dict() for s in (1, 1, 2)]
    name = "vl_self_attention_model.transformer_blocks.0.attn1.to_q.weight"
    assert torch.equal(same[0][name], same[1][name])
    assert not torch.equal(same[0][name], same[2][name])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.sample(torch.zeros(1, 3, 64, 64)), r"expected \(samples, frames, 3, 64, 64\)"),
        (lambda m: m.sample(frames(1, of=2)), "2 frames give 128 tokens, more than"),
        (lambda m: m.sample(), "either pixel_values or features"),
        (lambda m: m.sample(frames(1), features=m.encode(frames(1))), "and not both"),
        (lambda m: m.sample(frames(1), steps=0), "steps is 0"),
        (lambda m: m.sample(frames(1), noise=torch.zeros(2, 18, 25)), "noise has the shape"),
        (lambda m: m.sample(features=m.encode(frames(1)), guidance=2.0), "Guidance needs pixel"),
        (lambda m: m.loss(frames(1), torch.zeros(1, 18, 5)), "actions have the shape"),
        (lambda _: NitroGen.preset("huge"), "no model named 'huge'; known are student"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(tiny, call, message):
    with pytest.raises(ValueError, match=message):
        call(tiny)


def test_denoising_times_fall_into_the_buckets_of_double_precision(tiny):
    seen = []
    tiny.model.timestep_encoder.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    tiny.sample(frames(1), steps=100)
    # 0.57 * 1000 is 569.99... in double precision and 570 in single.
    assert [buckets.item() for buckets in seen] == [int(i / 100 * 1000) for i in range(100)]


@pytest.mark.parametrize("tower", ["siglip", "conv"])
def test_recomputing_blocks_changes_no_gradient(tower, tiny):
    if tower == "siglip":
        tiny = checkpoint.load(GOLDEN / "checkpoint.pt")
    generator = torch.Generator().manual_seed(6)
    actions, time = torch.rand((2, 18, 25), generator=generator), torch.rand(2, generator=generator)
    noise = torch.randn((2, 18, 25), generator=generator)

    def gradients(*, recompute):
        tiny.gradient_checkpointing = recompute
        tiny.zero_grad()
        tiny.loss(frames(2), actions, noise, time).backward()
        return {name: p.grad.clone() for name, p in tiny.named_parameters() if p.grad is not None}

    plain, saving = gradients(recompute=False), gradients(recompute=True)
    assert len(plain) > 20
    for name, gradient in plain.items():
        torch.testing.assert_close(saving[name], gradient)


def test_only_a_split_learns():
    model = NitroGen.preset("tiny")
    model.freeze("head")
    assert {name.partition(".")[0] for name in model.learning()} == {
        "action_encoder",
        "action_decoder",
    }
    assert len(list(model.trainable_parameters("head"))) == len(model.learning())
    with pytest.raises(ValueError, match="no split 'eyes'; known are action_head"):
        model.freeze("eyes")


def test_what_lies_about_the_player_is_the_same_wherever_the_player_stands():
    frame = torch.rand((1, 3, 96, 96), generator=torch.Generator().manual_seed(7))
    here, moved = torch.tensor([[40.0, 30.0]]), torch.roll(frame, (9, -5), dims=(2, 3))
    there = here + torch.tensor([[-5.0, 9.0]])
    near = window(frame, here / 96, 16)
    torch.testing.assert_close(near[0], frame[0, :, 22:38, 32:48])
    torch.testing.assert_close(window(moved, there / 96, 16), near)


def test_beyond_the_frames_edge_there_is_nothing():
    frame = torch.ones((1, 3, 96, 96))
    whole = window(frame, torch.zeros((1, 2)), 96)
    assert whole[0, 0, 48:, 48:].min() == 1.0
    assert whole[0, 0, :47].max() == whole[0, 0, :, :47].max() == 0.0


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ({"fovea": 20}, "fovea is 20; expected a multiple of twice fovea_patch, which is 4"),
        ({"recentred": 8}, "recentred is 8 and fovea 0; expected a fovea, which finds the player"),
    ],
)
def test_a_tower_that_cannot_be_built_is_refused(sizes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        PatchConfig(hidden_size=32, **sizes)
