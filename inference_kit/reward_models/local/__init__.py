"""What formats stand on: texts run through a model in batches, with cached prefixes, and numbers read at positions."""
