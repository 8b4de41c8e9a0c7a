"""Child processes: started, asked, watched and ended in one way, with records for messages.

A child is a module with `main(owner)`. `ChildProcess` starts it and is its owner's end; `Owner` is the same from
within. `Client` and `serve` stand on these two where a child answers many requests at a time.
"""
