"""Kueue simulated on recorded or synthetic arrivals: waits, use and preemptions before and after a change."""

from gitopslab.capacity.replay.engine import replay
from gitopslab.capacity.replay.model import Gate, Job, Pace, Plane, Policy

__all__ = ["Gate", "Job", "Pace", "Plane", "Policy", "replay"]
