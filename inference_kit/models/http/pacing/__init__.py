"""How many requests a server gets at once, and in which order those who were answered go on."""
