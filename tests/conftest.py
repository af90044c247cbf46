"""Every test may import ROS: this environment is the ament prefix, as for the commands."""

from hypothesis import settings

from rove.environment import ensure_ament_prefix

ensure_ament_prefix()

# Without a deadline: the first example pays for imports, and a busy machine for its neighbours.
# `make bench` measures time.
settings.register_profile("rove", deadline=None)
settings.load_profile("rove")
