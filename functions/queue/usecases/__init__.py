"""What buyers and operators do with a queue, step by step."""
