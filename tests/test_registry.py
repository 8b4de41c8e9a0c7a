"""Registries: names with a did-you-mean, entries as classes and partials, settings off signatures and docstrings."""

import inspect
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import pytest

from inference_kit.errors import UserError
from inference_kit.registry import find_name, flatten_settings, lookup, open_entry, read_settings, summarize_entry


class Base:
    """Something with settings.

    Args:
        path: Where it is.
        size: How large it is,
            at the most.
    """

    def __init__(self, path: str, *, size: int = 4) -> None:
        self.path, self.size = path, size


class Inherits(Base):
    """Takes what its base takes."""


class Adds(Base):
    """Takes more.

    Args:
        first, second: Both of them.
    """

    def __init__(
        self, path: str, *, size: int = 8, first: Annotated[int, 0] = 0, second: Literal["a", "b"] = "a", third: str
    ) -> None:
        super().__init__(path, size=size)


def test_an_unknown_name_lists_the_known_ones_and_the_nearest() -> None:
    """MAIN-07."""
    assert lookup({"beam": 1}, "beam", "method") == 1
    with pytest.raises(UserError, match=r"unknown method 'baem'. Did you mean 'beam'\? Known: beam, mcts"):
        lookup({"mcts": 2, "beam": 1}, "baem", "method")


def test_an_entry_opens_into_a_class_and_what_it_comes_with() -> None:
    assert open_entry(Base) == (Base, (), {})
    assert open_entry(partial(Base, "here", size=3)) == (Base, ("here",), {"size": 3})
    assert summarize_entry(partial(Base, "here")) == "Something with settings."


def test_an_entry_is_named_as_its_class_is_registered() -> None:
    assert find_name(partial(Base, "here"), {"adds": Adds, "base": Base}) == "base"
    assert find_name(Inherits, {"base": Base}) == "Inherits"


def test_settings_are_keyword_only_and_described_where_they_come_from() -> None:
    """A class says of its base's settings only what differs."""
    assert {name: (each.default, each.help) for name, each in read_settings(Inherits).items()} == {
        "size": (4, "How large it is, at the most.")
    }
    found = read_settings(Adds)
    assert (found["size"].default, found["size"].help) == (8, "How large it is, at the most.")
    assert found["first"].help == found["second"].help == "Both of them."
    assert found["third"].required


def test_a_setting_is_checked_against_its_type() -> None:
    found = read_settings(Adds)
    found["first"].check(0)
    with pytest.raises(UserError, match="--size: size must be at least 1, got 0"):
        found["size"].check(0)
    with pytest.raises(UserError, match="--second: unknown second 'c'"):
        found["second"].check("c")


def with_fractions(
    *, free: float = 0.5, share: Annotated[float, 0, 1] = 0.5, price: Annotated[float | None, 0] = None
) -> None:
    """Something with fractions."""


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("free", (-3.5, 0, 1e9), (float("nan"), float("inf"))),
        ("share", (0.0, 1, 0.25), (-0.01, 1.01, float("nan"))),
        ("price", (0, 2.5, None), (-1,)),
    ],
)
def test_a_fraction_is_checked_against_its_range(
    name: str, good: tuple[float | None, ...], bad: tuple[float, ...]
) -> None:
    setting = read_settings(with_fractions)[name]
    for value in good:
        setting.check(value)
    for value in bad:
        with pytest.raises(UserError, match=f"--{name}: {name} must be"):
            setting.check(value)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait.

    Args:
        seconds: How long one try may take.
        tries: How many there may be.
    """

    seconds: float = 5.0
    tries: Annotated[int, 0] = 3


class Waits:
    """Something with a settings record.

    Args:
        name: What it is called.
        tries: How often it knocks.
    """

    @flatten_settings
    def __init__(self, path: str, *, name: str = "it", patience: Patience = Patience(tries=8), size: int = 4) -> None:
        self.path, self.name, self.patience, self.size = path, name, patience, size


class WaitsToo(Waits):
    """Takes what its base takes."""


@pytest.mark.parametrize("owner", [Waits, WaitsToo])
def test_the_fields_of_a_settings_record_are_settings_in_its_place(owner: type[Waits]) -> None:
    """What a class says of a field outranks what the record says."""
    settings = read_settings(owner)
    assert {name: (each.default, each.help) for name, each in settings.items()} == {
        "name": ("it", "What it is called."),
        "seconds": (5.0, "How long one try may take."),
        "tries": (8, "How often it knocks."),
        "size": (4, ""),
    }
    settings["tries"].check(0)
    with pytest.raises(UserError, match="--size: size must be at least 1, got 0"):
        settings["size"].check(0)


@dataclass(frozen=True, slots=True)
class LongPatience(Patience):
    """How long to wait, and for what.

    Args:
        reason: What for.
    """

    reason: str = "news"


def test_a_settings_record_is_described_by_its_base_too() -> None:
    @flatten_settings
    def wait(*, patience: Patience = LongPatience()) -> None: ...

    assert {name: each.help for name, each in read_settings(wait).items()} == {
        "seconds": "How long one try may take.",
        "tries": "How many there may be.",
        "reason": "What for.",
    }


@pytest.mark.parametrize("owner", [Waits, partial(WaitsToo, size=1)])
def test_a_settings_record_is_given_by_its_fields_or_whole(owner: type[Waits]) -> None:
    assert owner("here").patience == Patience(tries=8)
    assert owner("here", seconds=1.0).patience == Patience(1.0, tries=8)
    assert owner("here", patience=Patience(2.0)).patience == Patience(2.0)
    assert owner("here", patience=Patience(2.0), tries=0).patience == Patience(2.0, tries=0)
    inspect.signature(owner).bind("here", seconds=1.0, tries=2, name="that")
    with pytest.raises(TypeError, match="unexpected keyword argument 'second'"):
        owner("here", second=1.0)
