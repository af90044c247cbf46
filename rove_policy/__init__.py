"""Runs a policy: numpy and onnxruntime, no torch, no ROS."""
