"""What belongs to the API as a whole rather than to a service."""
