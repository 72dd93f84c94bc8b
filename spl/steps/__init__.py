"""What each step depends on, as a slice of params.yaml, and the record that it leaves."""
