"""The price of an on-sale on AWS, and of a month without one: `python -m tools.cost`."""
