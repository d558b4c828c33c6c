"""Rendered dancers with known keypoints: for the demo, for tests, and as a truth to compare with."""
