"""Checks on what was landed and built: each finds wrong rows, or says what it could not look at."""
