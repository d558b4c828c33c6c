"""Footage to a subject: decode, detect, clean plate, camera, footage report."""
