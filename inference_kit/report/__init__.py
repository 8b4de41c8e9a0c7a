"""Reports: tables, comparisons and trees from stored files, without a model or a search."""
