"""Reports: tables and comparisons from stored files; no model, no search."""
