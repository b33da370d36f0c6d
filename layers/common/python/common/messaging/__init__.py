"""Messages between services: their schemas, the outbox that writes them, the consumer that applies them."""
