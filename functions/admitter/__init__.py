"""The admitter: admits the first users of every queue, each second."""
