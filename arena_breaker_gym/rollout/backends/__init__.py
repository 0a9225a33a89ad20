"""Where a rollout's episodes are played: in this process, or by Ray's workers on many machines."""
