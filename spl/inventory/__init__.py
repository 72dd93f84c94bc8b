"""Inventory of the disk: missing files, changed files, files of another params.yaml."""
