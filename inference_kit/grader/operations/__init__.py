"""What can be done with numbers, sets and functions: each operation in one table, with all that it means."""
