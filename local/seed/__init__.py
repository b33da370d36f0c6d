"""The initial data of a local stack: secrets, two accounts and an event on sale."""
