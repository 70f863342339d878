"""Delivery in a simulated fleet: from a developer's commit to a healthy release, in three lanes."""
