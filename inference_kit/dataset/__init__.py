"""Data sets: problems out of files and the hub, one file a family; extend `base.py`, or use `simpledataset.py`."""
