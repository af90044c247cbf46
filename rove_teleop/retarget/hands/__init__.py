"""A person's hands to a robot's: vector retargeting with pinch closure."""
