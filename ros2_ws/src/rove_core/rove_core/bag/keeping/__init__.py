"""What a robot does with finished bags: what is there, who has it, what may be deleted."""
