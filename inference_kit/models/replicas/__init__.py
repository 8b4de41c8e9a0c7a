"""Many copies of one engine behind one face, on this machine or on a Ray cluster."""
