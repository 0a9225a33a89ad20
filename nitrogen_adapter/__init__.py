"""NitroGen in the arena: the model, its gamepad, its checkpoints and its post-training."""
