"""The supervisor's console: what it shows and what it allows, without ROS and without a browser."""
