"""Published formats of reward models with weights on this machine: each file says what is shown and what is read."""
