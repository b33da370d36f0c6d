"""What every function needs to run: settings, logs, metrics, the trace id, schedules."""
