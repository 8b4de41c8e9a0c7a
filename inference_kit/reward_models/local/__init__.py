"""What the formats share: texts run through a model, and numbers read at chosen places."""
