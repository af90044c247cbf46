"""Operators by script, on virtual time: what a person shows a headset, without a person."""
