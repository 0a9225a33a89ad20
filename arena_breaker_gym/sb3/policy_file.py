"""A trained policy in one file: JSON that says what it is, and its weights as safetensors.

Stable-Baselines3's own files hold pickled Python, which may run anything; in this form nothing can
run, and all that is needed to play is there: preprocessing, settings, layers, architecture.
`save_policy` writes it of a PPO or A2C, `load_policy` reads it,
`agents/arena_breaker_agents/sb3.py` plays it.
"""

from __future__ import annotations

import json
import math
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from safetensors.torch import load, save
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import (
    ActorCriticCnnPolicy,
    ActorCriticPolicy,
    MultiInputActorCriticPolicy,
)
from stable_baselines3.common.torch_layers import (
    BaseFeaturesExtractor,
    CombinedExtractor,
    FlattenExtractor,
    NatureCNN,
)
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym._runtime.plain import plain_int, plain_value
from arena_breaker_gym._runtime.stored import json_in, open_stored, shortened
from arena_breaker_gym.sb3.layers import layers_of, made_layers
from arena_breaker_gym.settings import Settings
from arena_breaker_gym.wrappers.preprocessing import PreprocessingConfig


class SmallCNN(BaseFeaturesExtractor):
    """Patches of 3 × 3 pixels, one convolution over them, and a layer.

    For pictures of 42 pixels a side it does a fiftieth of the work of Stable-Baselines3's NatureCNN
    at 84.
    """

    def __init__(self, observation_space: spaces.Box, features_dim: int = 64) -> None:
        """Makes one.

        Args:
            observation_space: Of pictures (channels, size, size).
            features_dim: How many numbers come out.
        """
        super().__init__(observation_space, features_dim)
        self.features = nn.Sequential(
            nn.Conv2d(observation_space.shape[0], 8, 3, stride=3),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        with torch.no_grad():
            width = self.features(torch.zeros(1, *observation_space.shape)).shape[1]
        self.head = nn.Sequential(nn.Linear(width, features_dim), nn.ReLU())

        self._register_load_state_dict_pre_hook(_with_new_names)  # type: ignore[no-untyped-call]

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, channels, size, size) in [0, 1] -> (n, features_dim)."""
        seen: Tensor = self.head(self.features(pictures))
        return seen


def _with_new_names(state: dict[str, object], prefix: str, *_: object) -> None:
    """Renames the layers of stored policies, which have old names: eyes and mind."""
    for old, new in (("eyes", "features"), ("mind", "head")):
        for name in [name for name in state if name.startswith(f"{prefix}{old}.")]:
            state[f"{prefix}{new}.{name.removeprefix(f'{prefix}{old}.')}"] = state.pop(name)


DESCRIPTION, WEIGHTS = "policy.json", "policy.safetensors"
FORMAT = "arena-breaker-policy"
VERSION = 1
LARGEST_DESCRIPTION = 2**20  # bytes
LARGEST_WEIGHTS = 2**30  # bytes
WIDEST = 4096  # units in a layer
DEEPEST = 32  # layers of policy and value together

_MOST_FRAMES = 64  # that all stacks together show
_LONGEST = 500  # letters of a sentence

# Everything by name that a file may ask for.
POLICIES: dict[str, type[ActorCriticPolicy]] = {
    "MlpPolicy": ActorCriticPolicy,
    "CnnPolicy": ActorCriticCnnPolicy,
    "MultiInputPolicy": MultiInputActorCriticPolicy,
}
EXTRACTORS: dict[str, type[nn.Module]] = {
    "FlattenExtractor": FlattenExtractor,
    "NatureCNN": NatureCNN,
    "CombinedExtractor": CombinedExtractor,
    "SmallCNN": SmallCNN,
}
ACTIVATIONS: dict[str, type[nn.Module]] = {
    name: getattr(nn, name) for name in ("Tanh", "ReLU", "ELU", "GELU", "SiLU", "LeakyReLU")
}


class PolicyFileError(ValueError):
    """A file that holds no policy, or a model whose policy cannot be written."""


@dataclass(frozen=True)
class SavedPolicy:
    """What a file holds.

    Attributes:
        policy: The network, in evaluation mode.
        preprocessing: Through what it sees and plays.
        settings: Of the game that it learned in; the observation, pixel size and frame skip of its
            decisions are among them.
        layers: What lies between the preprocessing and the network; see `layers.made_layers`.
        tensors: The layers' numbers.
    """

    policy: ActorCriticPolicy
    preprocessing: PreprocessingConfig
    settings: Settings
    layers: list[dict[str, object]]
    tensors: dict[str, NDArray[Any]]


def save_policy(model: BaseAlgorithm, path: str | Path) -> None:
    """Writes the policy of a model that was trained in a `VecEnv` of `make_vec_env`.

    Args:
        model: A PPO or A2C with one of Stable-Baselines3's own policies.
        path: The file, whole or not at all; one that exists is replaced.

    Raises:
        PolicyFileError: If the model's parts are not those that a file can name.
    """
    env, layers, tensors = _layers_of(model)
    description = {
        "format": FORMAT,
        "version": VERSION,
        "architecture": _architecture(model.policy),
        "kit": env.preprocessing.to_dict(),
        "settings": env.settings.to_dict(),
        "layers": layers,
        "timesteps": plain_int("num_timesteps", model.num_timesteps, least=0),
    }
    weights = {f"policy.{name}": one for name, one in weights_of(model.policy).items()}
    weights |= {name: torch.as_tensor(np.array(one)) for name, one in tensors.items()}
    text = json.dumps(description, indent=2)
    with written_whole(Path(path)) as part, zipfile.ZipFile(part, "w") as archive:
        # Without the time of day: equal policies are equal files.
        archive.writestr(zipfile.ZipInfo(DESCRIPTION), text + "\n")
        archive.writestr(
            zipfile.ZipInfo(WEIGHTS), save({k: v.cpu().contiguous() for k, v in weights.items()})
        )


def load_policy(path: str | Path) -> SavedPolicy:
    """Reads what `save_policy` wrote; nothing in the file is run.

    Raises:
        PolicyFileError: If there is no such file, or it is damaged or something else.
    """
    description, weights = _read(Path(path))
    own = {name.removeprefix("policy."): w for name, w in weights.items() if _is_own(name)}
    tensors = {name: one.numpy() for name, one in weights.items() if not _is_own(name)}
    try:
        preprocessing = PreprocessingConfig.from_dict(description["kit"])
        settings = Settings.from_keywords(description["settings"])
        layers = [dict(layer) for layer in description["layers"]]
        made_layers(layers, tensors)
        with _no_larger_than(own):
            policy = _policy(description["architecture"], preprocessing, settings, layers)
    except KeyError as error:
        raise PolicyFileError(f"{path}: its {DESCRIPTION} has no {_name_in(error)}.") from None
    except _LargerError:
        raise PolicyFileError(f"{path}: its weights do not fit its own description.") from None
    # A description can be wrong in as many ways as there are parts that it is made into.
    except Exception as error:
        raise PolicyFileError(f"{path} describes no policy: {_sentence(error)}") from None
    try:
        _check_weights(own)
        put_weights(policy, own)
        _check_layers(policy, preprocessing, settings, layers, tensors)
    except Exception:
        raise PolicyFileError(f"{path}: its weights do not fit its own description.") from None
    policy.set_training_mode(False)
    return SavedPolicy(policy, preprocessing, settings, layers, tensors)


def weights_of(policy: nn.Module) -> dict[str, Tensor]:
    """A policy's weights by name, those that stand under several names once."""
    state = policy.state_dict()
    return {name: one for name, one in state.items() if not _is_second_name(policy, name)}


def put_weights(policy: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Puts what `weights_of` gave into a policy of the same kind.

    Raises:
        RuntimeError: If weights are missing or surplus or have another shape.
    """
    missing, surplus = policy.load_state_dict(weights, strict=False)
    if surplus or any(not _is_second_name(policy, name) for name in missing):
        raise RuntimeError("These are not the weights of this policy.")


class _LargerError(Exception):
    """A policy is described larger than its weights are."""


@contextmanager
def _no_larger_than(weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Ends the making of a network that has more numbers than there are, before they are made."""
    thread, left = threading.get_ident(), [sum(one.numel() for one in weights.values())]

    def count(module: nn.Module, name: str, parameter: Any) -> None:
        if threading.get_ident() == thread and parameter is not None:
            left[0] -= parameter.numel()
            if left[0] < 0:
                raise _LargerError

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def _check_weights(weights: Mapping[str, Tensor]) -> None:
    for one in weights.values():
        if not one.is_floating_point() or not torch.isfinite(one).all():
            raise ValueError("Weights are finite numbers.")


def _check_layers(
    policy: ActorCriticPolicy,
    preprocessing: PreprocessingConfig,
    settings: Settings,
    layers: list[dict[str, object]],
    tensors: Mapping[str, NDArray[Any]],
) -> None:
    """Lets the layers show the policy an arena in which nothing is to be seen."""
    space = preprocessing.made_for(replace(settings, stages=None)).observation_space
    shown = _nothing(space)
    for layer in made_layers(layers, tensors):
        shown = layer(shown, [0])
    tables, wanted = shown, policy.observation_space
    if not isinstance(wanted, spaces.Dict):
        tables, wanted = {"": shown}, spaces.Dict({"": wanted})
    for name, box in wanted.items():
        finite = np.isfinite(tables[name]).all()
        if sorted(tables[name].shape[1:]) != sorted(box.shape or ()) or not finite:
            raise ValueError("The layers show something else than the policy sees.")


def _nothing(space: spaces.Space[Any]) -> Any:
    if isinstance(space, spaces.Dict):
        return {name: _nothing(one) for name, one in space.items()}
    return np.zeros((1, *(space.shape or ())), space.dtype)


def _name_in(error: KeyError) -> str:
    return shortened(error.args[0] if error.args else "")


def _is_second_name(policy: nn.Module, name: str) -> bool:
    seconds = ("pi_features_extractor.", "vf_features_extractor.")
    return bool(getattr(policy, "share_features_extractor", False)) and name.startswith(seconds)


def _is_own(name: str) -> bool:
    return name.startswith("policy.")


def _layers_of(model: BaseAlgorithm) -> tuple[Any, list[dict[str, Any]], dict[str, Any]]:
    from arena_breaker_gym.sb3.vec_env import ArenaBreakerVecEnv

    try:
        env, layers, tensors = layers_of(model.get_env())
    except ValueError as error:
        raise PolicyFileError(str(error)) from None
    if not isinstance(env, ArenaBreakerVecEnv):
        raise PolicyFileError("A policy is written with its game: train it in make_vec_env(...).")
    return env, layers, tensors


def _architecture(policy: Any) -> dict[str, Any]:
    """What must be known to rebuild a policy, by name."""
    if getattr(policy, "use_sde", False) or getattr(policy, "squash_output", False):
        raise PolicyFileError("A policy with gSDE or squashed output cannot be written.")
    arch = getattr(policy, "net_arch", None)
    if isinstance(arch, list):
        arch = {"pi": arch, "vf": arch}
    return {
        "policy": _name_of(type(policy), POLICIES),
        "net_arch": plain_value(arch),
        "activation": _name_of(policy.activation_fn, ACTIVATIONS),
        "features_extractor": _name_of(policy.features_extractor_class, EXTRACTORS),
        "features_extractor_kwargs": plain_value(dict(policy.features_extractor_kwargs)),
        "share_features_extractor": bool(policy.share_features_extractor),
        "normalize_images": bool(policy.normalize_images),
    }


def _name_of(part: type, parts: Mapping[str, type]) -> str:
    for name, known in parts.items():
        if part is known:
            return name
    raise PolicyFileError(
        f"A policy with {part.__name__} cannot be written, only with {', '.join(parts)}."
    )


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The two members of a file, neither of which is larger than a policy can be."""
    try:
        with open_stored(path) as file, zipfile.ZipFile(file) as archive:
            members = {one.filename: one for one in archive.infolist()}
            _check_foreign(path, members)
            text = _member(archive, members[DESCRIPTION], LARGEST_DESCRIPTION)
            data = _member(archive, members[WEIGHTS], LARGEST_WEIGHTS)
        description = json_in(text)
        weights = load(data)
    except FileNotFoundError:
        raise PolicyFileError(f"There is no policy at {path}.") from None
    except PolicyFileError:
        raise
    # A damaged file can make its readers fail in any way; none of them is worth telling apart.
    except Exception:
        raise PolicyFileError(f"{path} is damaged, or no policy that save_policy wrote.") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise PolicyFileError(f"{path} holds no policy of Arena Breaker.")
    if description.get("version") != VERSION:
        found = shortened(description.get("version"))
        raise PolicyFileError(f"{path} has version {found}, this package reads {VERSION}.")
    return description, weights


def _check_foreign(path: Path, members: Mapping[str, object]) -> None:
    if "data" in members and DESCRIPTION not in members:
        raise PolicyFileError(
            f"{path} is Stable-Baselines3's own file, whose pickled parts are not read here: "
            "write the policy with arena_breaker_gym.sb3.save_policy(model, path)."
        )


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, largest: int) -> bytes:
    # A compressed member could be small on disk and fill the memory.
    if member.compress_type != zipfile.ZIP_STORED or member.file_size > largest:
        raise ValueError("no member of a policy")
    return archive.read(member)


def _policy(
    said: Mapping[str, Any],
    preprocessing: PreprocessingConfig,
    settings: Settings,
    layers: list[dict[str, Any]],
) -> ActorCriticPolicy:
    """A network as described, with no weights yet."""
    game = replace(settings, stages=None)  # files that may be gone by now
    preprocessor = preprocessing.made_for(game)
    widths = said["net_arch"] or {}
    extractor = dict(said["features_extractor_kwargs"])
    _check_widths([*widths.get("pi", []), *widths.get("vf", []), *extractor.values()])
    frames = [layer["frames"] for layer in layers if layer.get("layer") == "stack"]
    plain_int("frames that are stacked in all", math.prod(frames), most=_MOST_FRAMES)
    policy: ActorCriticPolicy = _chosen(POLICIES, said["policy"])(
        _stacked(preprocessor.observation_space, frames),
        preprocessor.action_space,
        lambda _: 0.0,
        net_arch=said["net_arch"],
        activation_fn=_chosen(ACTIVATIONS, said["activation"]),
        ortho_init=False,
        features_extractor_class=_chosen(EXTRACTORS, said["features_extractor"]),
        features_extractor_kwargs=extractor,
        share_features_extractor=bool(said["share_features_extractor"]),
        normalize_images=bool(said["normalize_images"]),
    )
    return policy


def _check_widths(widths: list[object]) -> None:
    """Refuses networks that would fill the memory before their weights are looked at."""
    for width in widths:
        plain_int("a layer's width", width, most=WIDEST)
    if len(widths) > DEEPEST:
        raise ValueError(f"a policy has at most {DEEPEST} layers, not {len(widths)}")


def _chosen(parts: Mapping[str, object], name: str) -> Any:
    if name not in parts:
        raise ValueError(f"there is no {shortened(name)}, only {', '.join(parts)}")
    return parts[name]


def _stacked(space: spaces.Space[Any], frames: list[Any]) -> spaces.Space[Any]:
    """The space that the network sees: stacked, pictures with channels first."""
    if isinstance(space, spaces.Dict):
        return spaces.Dict({name: _stacked(one, frames) for name, one in space.items()})
    assert isinstance(space, spaces.Box)
    low, high = space.low, space.high
    for count in frames:
        low, high = np.repeat(low, count, axis=-1), np.repeat(high, count, axis=-1)
    if space.dtype == np.uint8:
        low, high = low.transpose(2, 0, 1), high.transpose(2, 0, 1)
    return spaces.Box(low, high, dtype=space.dtype.type)


def _sentence(error: Exception) -> str:
    said = " ".join(str(error)[:_LONGEST].split())
    return said.rstrip(".") + "."
