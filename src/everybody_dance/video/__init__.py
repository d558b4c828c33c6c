"""Videos in and out: upright frames at a constant rate from any footage, and MP4 files that say an AI made them."""
