"""The Lambda functions: each parses a request, calls one use case and responds."""
