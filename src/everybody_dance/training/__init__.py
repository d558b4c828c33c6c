"""Subject to performer."""
