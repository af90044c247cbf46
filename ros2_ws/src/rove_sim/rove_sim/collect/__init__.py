"""Fast collection: the graph's libraries in lock step on a virtual clock, without ROS."""
