"""The waiting room's queues: one for each event, first in, first out."""
