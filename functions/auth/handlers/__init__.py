"""One file for each Lambda function: parse the event, make one call, answer."""
