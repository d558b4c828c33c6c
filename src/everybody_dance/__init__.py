"""Everybody Dance: film a person, train a small model of them, and any dance video makes them dance it."""

__version__ = "0.1.0"
