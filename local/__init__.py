"""What a stack on this machine needs besides the emulator: the outside world's stand-in, and the first data."""
