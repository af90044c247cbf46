"""Nodes of the simulated lab: the robot, its lab and the scripted operator."""
