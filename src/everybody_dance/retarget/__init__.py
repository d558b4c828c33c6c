"""Global pose normalization: the source's keypoints moved and scaled to the target's place."""
