"""How much runs at once: what the platform computes, what Kueue and nodes really allow, and why both differ."""
