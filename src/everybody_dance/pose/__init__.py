"""Footage to keypoints."""
