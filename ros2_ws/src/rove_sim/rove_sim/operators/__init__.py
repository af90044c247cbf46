"""People around the simulated robot: a scripted person who takes over through the bridge."""
