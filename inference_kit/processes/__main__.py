"""Where a child begins: `python -P -m inference_kit.processes MODULE OWNER READING WRITING` runs `main` of a module.

Why: the module keeps its own name in the child, so its records mean the same at both ends, and what multiprocessing
starts from there imports nothing of it.
"""

import importlib
import sys

from inference_kit.processes.channel import Channel
from inference_kit.processes.owner import Owner, end_group


def main() -> None:
    """Run the module that the command names, with the owner whose process number and pipes follow."""
    module, owner, reading, writing = sys.argv[1:]
    importlib.import_module(module).main(Owner(int(owner), Channel(int(reading), int(writing))))
    sys.stdout.flush()
    end_group()  # an owner that is gone ends nothing


if __name__ == "__main__":
    main()
