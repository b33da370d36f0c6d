"""What several tests need: fakes, fixtures and clients."""
