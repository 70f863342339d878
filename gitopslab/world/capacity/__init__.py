"""The capacity plane: nodes, Kueue over them, and benchmark runs that compete for both."""
