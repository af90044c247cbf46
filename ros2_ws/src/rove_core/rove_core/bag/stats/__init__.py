"""Figures of an episode, read from its bag alone: see ``run``."""
