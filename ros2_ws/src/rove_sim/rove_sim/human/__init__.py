"""A person in the lab, seen through their own eyes: the same tasks, no robot."""
