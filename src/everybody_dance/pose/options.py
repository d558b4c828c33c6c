"""What a user may choose about poses, by name; known without loading anything."""

DEFAULT_DETECTOR = "mediapipe"

OPENPOSE = "openpose:"
"""What ``--pose`` begins with where OpenPose's own files are read."""

SMOOTHINGS = ("none", "median", "gaussian", "both")
"""How keypoints are smoothed over time: not at all, by a median, by a Gaussian, or by both in turn."""
