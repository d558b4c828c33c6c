"""Keypoints to pictures: pose images, the window they are drawn into, overlays, the person's region."""
