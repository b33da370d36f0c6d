"""Payments through PortOne, and the money's way back."""
