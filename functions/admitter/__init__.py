"""Lets the head of every line in, ten a second unless its event says otherwise."""
