"""`quiet_student`: a model at play while it learns, as a function of frames."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from nitrogen_adapter import gamepad
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.training.trainer import bfloat16_is_faster
from nitrogen_adapter.vision import normalise


def quiet_student(
    model: NitroGen, steps: int | None = None
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """A student that denoises from zeros, towards the middle of what it thinks likely.

    Args:
        model: In evaluation mode; it looks at one frame at a time.
        steps: Euler steps; None: the model's own.

    Returns:
        Frames (n, size, size, 3) to chunks of actions (n, 18, 5).
    """
    config = model.config
    device = next(model.parameters()).device

    @torch.inference_mode()
    def predict(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        noise = torch.zeros(len(frames), config.action_horizon, config.action_dim, device=device)
        mixed = bfloat16_is_faster(device.type)
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
            rows = model.sample(normalise(frames)[:, None].to(device), noise, steps)
        actions: NDArray[np.float32] = gamepad.unpack(rows.float().cpu().numpy())
        return actions

    return predict
