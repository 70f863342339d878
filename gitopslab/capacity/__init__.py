"""How much runs at once: what the platform computes, what Kueue and nodes allow, and why both differ."""
