"""The same endpoint written in three ways: `POST /queue/enter`, which validates its body and needs the user."""
