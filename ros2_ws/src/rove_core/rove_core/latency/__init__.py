"""Latency ledger: when each thing happened between a hand and the robot, a camera and an eye."""
