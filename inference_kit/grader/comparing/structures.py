"""Compare two values by what they are: quantities, words, relations, sets, structures, and at last expressions.

Why: each kind of answer has one convention (docs/grading.md), and one rule that holds it.
Promises: symmetric; what only a proof can tell goes to `prove`, and is unknown where that knows nothing.
"""

from inference_kit.grader.comparing.congruences import compare_residues
from inference_kit.grader.comparing.counting import compare_counts
from inference_kit.grader.comparing.expressions import compare_expressions, compare_unparsed
from inference_kit.grader.comparing.lists import compare_brackets, compare_lists, compare_matrices, compare_plus_minus
from inference_kit.grader.comparing.qualifiers import compare_qualified
from inference_kit.grader.comparing.quantities import compare_bases, compare_marked, compare_measures, compare_ratios
from inference_kit.grader.comparing.reals.sets import compare_sets_of_reals
from inference_kit.grader.comparing.relations import compare_relations
from inference_kit.grader.comparing.rules import Prove, Rule, Rules
from inference_kit.grader.comparing.vectors import compare_points, compare_unit_vectors
from inference_kit.grader.comparing.words import compare_words
from inference_kit.grader.values import Value
from inference_kit.grader.verdicts import Verdict

RULES: tuple[Rule, ...] = (
    compare_qualified,
    compare_measures,
    compare_marked,
    compare_words,
    compare_plus_minus,
    compare_relations,
    compare_sets_of_reals,
    compare_unit_vectors,
    compare_points,
    compare_matrices,
    compare_bases,
    compare_residues,
    compare_ratios,
    compare_lists,
    compare_brackets,
    compare_counts,
    compare_expressions,
    compare_unparsed,
)
"""What is around a value comes before what it is: a unit, a percent sign, a plus-minus sign, a name."""


def compare_values(a: Value, b: Value, prove: Prove) -> Verdict:
    """Say whether two values are the same answer."""
    return Rules(RULES, prove).compare(a, b)
