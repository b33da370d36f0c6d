"""Payments through PortOne, their refunds and their reversals."""
