"""Poses in, pictures out: one loop body for clips and live use."""
