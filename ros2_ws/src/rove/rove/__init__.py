"""Thin ROS 2 nodes of ROVE, the node graph and the ``rove`` command."""
