"""Extractors: one module a system, each landing what it reads through a `Landing`."""
