"""A source video to a result video."""
