"""What every room may use: errors, whole files, names, tables, work in shards. It knows no other room."""
