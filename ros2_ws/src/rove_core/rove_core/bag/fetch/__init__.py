"""Finished bags on their way from a robot to a learner, over CURVE, resumed and verified."""
