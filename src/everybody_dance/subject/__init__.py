"""One prepared person on disk."""
