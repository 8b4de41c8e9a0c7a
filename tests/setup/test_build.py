"""What a registry entry becomes: refusals of its class are the user's, and name what chose it."""

from functools import partial

import pytest
from fakes import SeededEngine

from inference_kit.config import Level
from inference_kit.errors import UserError
from inference_kit.setup.choose import choose
from inference_kit.setup.opener import Opener
from inference_kit.setup.registries import Registries
from inference_kit.setup.request import Request


class Picky(SeededEngine):
    """Refuses a value as classes of other people do."""

    def __init__(self, model_path: str = "picky", *, size: int = 4) -> None:
        """Check the size.

        Args:
            size: An even number.
        """
        if size % 2:
            raise ValueError(f"size must be even, got {size}")
        super().__init__(model_path)


def choose_with(**values: object) -> object:
    names = Registries({"picky": partial(Picky)}, {})
    return choose(Request((Level("test", {"model": "picky", **values}, told=True),)), names, Opener())


def test_what_a_class_refuses_is_the_users_error() -> None:
    with pytest.raises(UserError, match=r"^--model: size must be even, got 3$"):
        choose_with(size=3)
    choose_with(size=2)


def test_a_value_out_of_range_names_its_setting_where_it_was_told_and_else_its_place() -> None:
    with pytest.raises(UserError, match=r"^--size: size must be at least 1, got 0"):
        choose_with(size=0)
    names = Registries({"picky": partial(Picky, size=0)}, {})
    with pytest.raises(UserError, match=r"^registry: size must be at least 1, got 0"):
        choose(Request((Level("test", {"model": "picky"}, told=True),)), names, Opener())
