"""`make chaos`: checks that no message is lost or applied twice while processes are killed."""
