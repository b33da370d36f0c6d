"""What an on-sale, and a month without one, cost on AWS: `python -m tools.cost`."""
