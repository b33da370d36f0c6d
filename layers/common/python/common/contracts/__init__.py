"""Internal calls between services: how they are made, and the request and response of each."""
