"""What each step depends on, where its files lie, and the record that it leaves."""
