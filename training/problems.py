"""Word problems that are small programs: a question, its quantities, and every true way to write each solution step.

Why: a model small enough to ship can only be strong on a small language, and a benchmark is only sound where the gold
answers are computed, not written. Relation sentences are usually shuffled, so names must be bound and not just numbers
read off in order; solutions follow a random order in random words, so the errors of two samples are independent.

Promises: the same seed gives the same problems. Every quantity is needed for the answer, and values are in 1..200. The
split depends on the set of sentences of the question, so no reordered twin of a test problem is trained on.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import permutations
from random import Random
from typing import Literal

NAMES = ("Ann", "Ben", "Cara", "Dan", "Eva", "Finn", "Gina", "Hugo", "Iris", "Jack", "Kim", "Leo")
ITEMS = ("apples", "books", "coins", "cards", "shells", "stamps", "pens", "cookies", "marbles", "stickers")
CONTAINERS = {"box": "boxes", "bag": "bags", "basket": "baskets", "crate": "crates"}
FRACTIONS = {2: "half", 3: "one third", 4: "one quarter", 5: "one fifth"}
LARGEST_VALUE = 200
TEST_SHARE = 16  # one problem in so many belongs to the test split

Operator = Literal["given", "+", "-", "*", "/"]
Split = Literal["train", "test"]
StepMix = Mapping[int, float]  # number of steps -> relative weight
TRAINING_MIX: StepMix = {2: 1.0, 3: 1.5, 4: 1.5, 5: 1.0, 6: 0.5}
BENCHMARK_MIX: StepMix = {2: 1.5, 3: 1.5, 4: 1.0, 5: 0.3, 6: 0.1}


@dataclass(frozen=True, slots=True)
class Reference:
    """An operand that is the value of an earlier quantity, by its index."""

    index: int


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of the problem: given (one operand, no step) or computed from its operands by one step.

    `opening` goes before the equation ("Ben has"), `closing` after it ("is what Ben has").
    """

    opening: str
    closing: str
    operator: Operator
    operands: tuple[int | Reference, ...]

    @property
    def references(self) -> tuple[int, ...]:
        """The indices of the quantities that this one is computed from."""
        return tuple(operand.index for operand in self.operands if isinstance(operand, Reference))


@dataclass(frozen=True, slots=True)
class Problem:
    """A question in sentences, and the program that answers it; the last quantity is the answer."""

    sentences: tuple[str, ...]
    quantities: tuple[Quantity, ...]

    @property
    def question(self) -> str:
        """The sentences as one text."""
        return " ".join(self.sentences)

    @property
    def values(self) -> tuple[int, ...]:
        """The value of each quantity, by running the program."""
        values: list[int] = []
        for quantity in self.quantities:
            values.append(apply(quantity.operator, resolve_operands(quantity, values)))
        return tuple(values)

    @property
    def answer(self) -> int:
        """The value of the last quantity."""
        return self.values[-1]

    @property
    def steps(self) -> tuple[int, ...]:
        """The indices of the quantities that take a solution step."""
        return tuple(i for i, quantity in enumerate(self.quantities) if quantity.operator != "given")

    @property
    def split(self) -> Split:
        """The split by a hash of the sentences, whatever their order."""
        digest = sha256("\n".join(sorted(self.sentences)).encode()).digest()
        return "test" if digest[0] % TEST_SHARE == 0 else "train"


def draw_problems(seed: int, split: Split, mix: StepMix) -> Iterator[Problem]:
    """Yield an endless stream of problems of one split; the number of steps is drawn from `mix`."""
    rng = Random(seed)
    while True:
        (n_steps,) = rng.choices(list(mix), list(mix.values()))
        problem = draw_problem(rng)
        while len(problem.steps) != n_steps or problem.split != split:
            problem = draw_problem(rng)
        yield problem


def draw_problem(rng: Random) -> Problem:
    """Draw one problem of any split with 2 to 6 steps, all of whose quantities are needed."""
    while True:
        with suppress(_Rejected):
            return _Draft(rng).draw_problem()


def write_solution(problem: Problem, rng: Random, slip_rate: float = 0.0) -> list[str]:
    """Write the steps in a random order that respects the program, in random words, and the boxed answer.

    Args:
        problem: What is solved.
        rng: Decides order, words and slips.
        slip_rate: Share of steps whose result is off by a little; later steps go on from the wrong value.
    """
    values = list(problem.values)
    known = {i for i, quantity in enumerate(problem.quantities) if quantity.operator == "given"}
    lines: list[str] = []
    while len(known) < len(values):
        ready = [i for i in problem.steps if i not in known and known.issuperset(problem.quantities[i].references)]
        index = rng.choice(ready)
        quantity = problem.quantities[index]
        result = apply(quantity.operator, resolve_operands(quantity, values))
        slip = rng.choice((-10, -2, -1, 1, 2, 10)) if rng.random() < slip_rate else 0
        values[index] = max(1, result + slip)
        lines.append(rng.choice(render_step(problem, index, values)))
        known.add(index)
    return [*lines, write_answer(values[-1])]


def write_answer(value: int) -> str:
    """Write the last line of a solution."""
    return f"The answer is \\boxed{{{value}}}."


def render_step(problem: Problem, index: int, values: Sequence[int]) -> list[str]:
    """Return every true way to write the step of one quantity."""
    quantity = problem.quantities[index]
    lines = []
    for operands in _order_operands(quantity):
        terms = [str(values[operand.index] if isinstance(operand, Reference) else operand) for operand in operands]
        equation = f"{f' {quantity.operator} '.join(terms)} = {values[index]}"
        lines += [f"{quantity.opening} {equation}.", f"{equation} {quantity.closing}."]
        references = [operand.index for operand in operands if isinstance(operand, Reference)]
        if 1 <= len(references) <= 2:
            facts = " and ".join(f"{problem.quantities[i].opening} {values[i]}" for i in references)
            lines.append(f"{facts}, so {quantity.opening} {equation}.")
    return [line[0].upper() + line[1:] for line in lines]


def resolve_operands(quantity: Quantity, values: Sequence[int]) -> list[int]:
    """Return the numbers that the operands of a quantity stand for."""
    return [values[operand.index] if isinstance(operand, Reference) else operand for operand in quantity.operands]


def apply(operator: Operator, operands: Sequence[int]) -> int:
    """Compute one operator; division rounds down, and a valid problem only divides exactly."""
    first, *rest = operands
    for number in rest:
        match operator:
            case "+":
                first += number
            case "-":
                first -= number
            case "*":
                first *= number
            case "/":
                first //= number
    return first


def _order_operands(quantity: Quantity) -> list[tuple[int | Reference, ...]]:
    return list(permutations(quantity.operands)) if quantity.operator in "+*" else [quantity.operands]


class _Rejected(Exception):
    """This draft breaks a promise; draw another."""


class _Draft:
    """A problem while it is drawn: people get holdings one after another, then a question is drawn."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.people = rng.sample(NAMES, rng.choice((2, 3, 3, 4)))
        self.item = rng.choice(ITEMS)
        self.container = rng.choice(list(CONTAINERS))
        self.holdings: dict[str, int] = {}  # name -> index of the quantity this person has at the moment
        self.quantities: list[Quantity] = []
        self.values: list[int] = []

    def draw_problem(self) -> Problem:
        """Draw everything.

        Raises:
            _Rejected: where a value is out of range, or a quantity is not needed.
        """
        relations = [self._draw_first(self.people[0])] + [self._draw_relation(name) for name in self.people[1:]]
        if self.rng.random() < 0.7:
            self.rng.shuffle(relations)
        changes = [self._draw_change() for _ in range(self.rng.choice((0, 0, 1, 1, 2)))]
        question = self._draw_question(changed=bool(changes))
        problem = Problem((*relations, *changes, *question), tuple(self.quantities))
        if not 2 <= len(problem.steps) <= 6 or not _all_needed(problem.quantities):
            raise _Rejected
        return problem

    def _draw_first(self, name: str) -> str:
        if self.rng.random() < 0.35:
            x, y = self.rng.randint(2, 9), self.rng.randint(2, 12)
            self._give(name, "*", x, y)
            return f"{name} has {x} {CONTAINERS[self.container]} with {y} {self.item} each."
        value = self.rng.randint(4, 80)
        self._give(name, "given", value)
        return f"{name} has {value} {self.item}."

    def _draw_relation(self, name: str) -> str:
        """Relate a new person to an earlier one, 60 % to the one before."""
        rng, item = self.rng, self.item
        others = list(self.holdings)
        other = others[-1] if rng.random() < 0.6 else rng.choice(others)
        source, more, factor = Reference(self.holdings[other]), rng.randint(2, 40), rng.randint(2, 5)
        kinds = ["more", "fewer", "more inverted", "fewer inverted", "times", "fraction"]
        match rng.choice([*kinds, "together", "together"] if len(others) > 1 else kinds):
            case "more":
                self._give(name, "+", source, more)
                return f"{name} has {more} more {item} than {other}."
            case "fewer":
                self._give(name, "-", source, more)
                return f"{name} has {more} fewer {item} than {other}."
            case "more inverted":
                self._give(name, "-", source, more)
                return f"{other} has {more} more {item} than {name}."
            case "fewer inverted":
                self._give(name, "+", source, more)
                return f"{other} has {more} fewer {item} than {name}."
            case "times":
                self._give(name, "*", source, factor)
                return f"{name} has {factor} times as many {item} as {other}."
            case "fraction":
                self._give(name, "/", source, factor)
                return f"{name} has {FRACTIONS[factor]} as many {item} as {other}."
            case _:
                one, two = rng.sample(others, 2)
                self._give(name, "+", Reference(self.holdings[one]), Reference(self.holdings[two]))
                return f"{name} has as many {item} as {one} and {two} together."

    def _draw_change(self) -> str:
        name, count = self.rng.choice(self.people), self.rng.randint(2, 30)
        gain = self.rng.random() < 0.5
        self._give(name, "+" if gain else "-", Reference(self.holdings[name]), count, now=True)
        return f"Then {name} {'buys' if gain else 'loses'} {count} {'more ' if gain else ''}{self.item}."

    def _draw_question(self, changed: bool) -> list[str]:
        rng, item, now = self.rng, self.item, " now" if changed else ""
        kind = rng.choice(("one", "one", "difference", "total", "total"))
        if kind == "difference":
            more, fewer = rng.sample(self.people, 2)
            self._add("the difference is", "is the difference", "-", *self._refer_to(more, fewer))
            return [f"How many more {item} does {more} have than {fewer}{now}?"]
        if kind == "one":
            subject, verb, sell = max(self.holdings, key=self.holdings.__getitem__), "does", "sells"
            asked = f"How many {item} does {subject} have{now}?"
        else:
            owners = rng.sample(self.people, rng.choice((2, 3)) if len(self.people) > 2 else 2)
            self._add("together they have", "is what they have together", "+", *self._refer_to(*owners))
            subject = f"{', '.join(owners[:-1])} and {owners[-1]}"
            verb, sell = "do", "sell"
            asked = f"How many {item} do {subject} have together{now}?"
        return self._draw_ending(asked, subject, verb, sell)

    def _draw_ending(self, asked: str, subject: str, verb: str, sell: str) -> list[str]:
        """End with a sale or a division of all that was counted, 20 % each, or ask for the count itself."""
        rng, whole = self.rng, Reference(len(self.quantities) - 1)
        kind = rng.random()
        if kind < 0.2:
            price = rng.randint(2, 9)
            self._add("the price is", "is the price", "*", whole, price)
            return [f"{subject} {sell} all {self.item} for {price} dollars each.", f"How many dollars {verb} they get?"]
        if kind < 0.4:
            parts = rng.randint(2, 9)
            self._add(f"each {self.container} gets", f"go into each {self.container}", "/", whole, parts)
            put = "puts" if verb == "does" else "put"
            return [
                f"{subject} {put} all {self.item} equally into {parts} {CONTAINERS[self.container]}.",
                f"How many {self.item} go into each {self.container}?",
            ]
        return [asked]

    def _refer_to(self, *names: str) -> list[Reference]:
        return [Reference(self.holdings[name]) for name in names]

    def _give(self, name: str, operator: Operator, *operands: int | Reference, now: bool = False) -> None:
        self.holdings[name] = len(self.quantities)
        if now:
            self._add(f"now {name} has", f"is what {name} has now", operator, *operands)
        else:
            self._add(f"{name} has", f"is what {name} has", operator, *operands)

    def _add(self, opening: str, closing: str, operator: Operator, *operands: int | Reference) -> None:
        quantity = Quantity(opening, closing, operator, operands)
        terms = resolve_operands(quantity, self.values)
        if operator == "/" and terms[0] % terms[1]:
            raise _Rejected
        value = apply(operator, terms)
        if not 1 <= value <= LARGEST_VALUE:
            raise _Rejected
        self.quantities.append(quantity)
        self.values.append(value)


def _all_needed(quantities: Sequence[Quantity]) -> bool:
    needed = {len(quantities) - 1}
    for index in reversed(range(len(quantities))):
        if index in needed:
            needed.update(quantities[index].references)
    return len(needed) == len(quantities)
