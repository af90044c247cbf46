"""A human drives: operator wire, retargeting, arbiter. No torch, no ROS."""
