"""``rove profile``: check and draw a robot's profile, write a first one from a URDF."""
