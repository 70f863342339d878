"""What goes wrong in a simulated fleet, or only looks so: on a script, so that the truth of it is known."""
