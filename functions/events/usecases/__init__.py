"""The steps of what an admin, a buyer, a message or a schedule does with events."""
