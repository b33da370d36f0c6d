"""What belongs to the API as a whole, not to one service."""
