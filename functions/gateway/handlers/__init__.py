"""One file for each Lambda function: parse, one call, answer."""
