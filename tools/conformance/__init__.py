"""How far local emulators answer as AWS does: one template, one list of behaviours, several emulators."""
