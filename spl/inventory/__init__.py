"""What is on disk: what is missing, what has changed, what belongs to another params.yaml."""
