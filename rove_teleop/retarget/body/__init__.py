"""Whole-body inverse kinematics: configuration, tasks, limits, collisions, quadratic program."""
