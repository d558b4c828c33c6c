"""The trained person: networks, clean plate, window and previous frame."""
