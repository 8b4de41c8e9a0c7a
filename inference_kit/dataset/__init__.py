"""Data sets: problems out of files and the hub; `base.py` is what to extend, `simpledataset.py` reads anyone's file."""
