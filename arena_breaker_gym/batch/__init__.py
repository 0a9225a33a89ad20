"""A batch of arenas: records that are stepped, observed and drawn in one call."""
