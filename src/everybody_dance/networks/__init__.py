"""Generators, discriminators and feature extractors: plain arguments in, never a configuration."""
