"""From evidence to numbers: Table 1, intervals, ablations, claims. Tables in, tables out."""
