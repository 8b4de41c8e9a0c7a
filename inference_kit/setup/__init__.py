"""Setup: names, levels of settings and registries in, checked parts out; each value knows its source.

Promises: it knows no command line; whoever asks, be it flags, a YAML file or a dict, is a level among others.
"""
