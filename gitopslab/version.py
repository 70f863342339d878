"""The version, for whoever needs only that."""

__version__ = "0.1.0"
