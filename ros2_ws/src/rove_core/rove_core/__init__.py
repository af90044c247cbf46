"""The contract of ROVE in Python: what libraries, nodes and the learner share. No ROS, no torch."""

__version__ = "0.1.0"
