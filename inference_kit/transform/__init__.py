"""Transform: a field of every record of files, through a model, back into its place."""
