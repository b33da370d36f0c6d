"""What a run of the admitter does, step by step."""
