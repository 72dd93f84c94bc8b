"""What every part may use: errors, whole files, names, tables, work in shards. Knows no other part."""
