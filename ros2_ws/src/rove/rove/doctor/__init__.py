"""`rove doctor`: small checks of what the stack needs, each with its cure."""
