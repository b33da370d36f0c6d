"""What a local stack needs besides the emulator: a sandbox for outside parties, and initial data."""
