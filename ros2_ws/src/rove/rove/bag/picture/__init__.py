"""A picture of an episode: what was read of its bag, and its panels from top to bottom."""
