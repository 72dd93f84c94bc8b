"""The report: everything that a run has measured, on one page that opens offline."""
