"""Where the application lives on AWS: nested stacks of template.yaml, and what watches it."""
