"""The command line of inference_kit, with the registries of `model_config.py` and `data_config.py`."""

import sys
from pathlib import Path

from data_config import supported_dataset
from inference_kit import cli
from inference_kit.cli.shutdown import leave
from inference_kit.setup.registries import Registries
from model_config import reward_model_groups, sft_model_groups


def main(arguments: list[str]) -> int:
    """Run the command that `arguments` name, and return its exit code."""
    home = Path(__file__).resolve().parent
    return cli.main(arguments, Registries(sft_model_groups, reward_model_groups, supported_dataset, home))


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
