"""One module for each Lambda function: parse, call, respond."""
