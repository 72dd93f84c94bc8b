"""Networks, written from the papers; widths are arguments."""
