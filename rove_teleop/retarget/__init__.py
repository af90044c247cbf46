"""From an operator's motion to joint targets: clutch, fingers, differential inverse kinematics."""
