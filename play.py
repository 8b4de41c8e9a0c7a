"""A conversation in the terminal: the same as `python main.py chat`."""

import sys

from inference_kit.cli.shutdown import leave
from main import main

if __name__ == "__main__":
    leave(main(["chat", *sys.argv[1:]]))
