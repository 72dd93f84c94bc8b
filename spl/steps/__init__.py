"""Settings, default paths and records of the steps."""
