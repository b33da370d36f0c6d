"""`make chaos`: what must hold of messages while everything around them is killed."""
