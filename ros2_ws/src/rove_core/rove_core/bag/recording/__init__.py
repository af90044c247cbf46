"""What a recorder decides, without ROS: see ``session``."""
