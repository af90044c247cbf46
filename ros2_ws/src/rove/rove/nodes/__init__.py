"""One module a node; each holds wiring only and ends in ``main``."""
