"""Shared by every room: errors, whole files, names, tables, work in shards. Imports no other room."""
