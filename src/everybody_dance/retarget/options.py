"""What the user may choose about retargeting, by name; known without loading anything."""

BONES = ("target", "source")
"""Whose proportions a dance gets."""
