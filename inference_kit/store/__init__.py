"""What runs keep on disk: partial and final result files, the call log, and the lock of a folder."""
