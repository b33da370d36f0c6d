"""The AWS infrastructure: nested stacks of template.yaml, alarms and deployment."""
