"""What buyers, other services and schedules do with reservations; each owns its transaction."""
