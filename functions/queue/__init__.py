"""The waiting room: a line per event, first in, first out."""
