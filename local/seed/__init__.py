"""What a local stack begins with: secrets, two accounts and an event on sale."""
