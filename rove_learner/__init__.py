"""Bags to a better policy. The only package that imports torch; no ROS."""
