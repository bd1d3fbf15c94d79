"""Umbra: the second factor, done once and done right."""

__version__ = "0.1.0"
