r"""Long and deep texts in the notations that the parser rewrites: answered in bounded time, without an exception."""

import time

import pytest

from inference_kit.grader.comparing.texts import compare_texts
from inference_kit.grader.verdicts import Verdict

MOST_SECONDS = 2.0
PIECES = (
    "C_{", "(mod ", "$1,", r"\SI{", "^{8", "8C", r"\text{ mod", "{}^", "(x<", "for all ", ", where ", "A(", "A(1,",
    r"\overline{", r"\vec{AB}\times", r"\times \vec a", r"2(1,\pm ", r"\pm", "|x|+", r"\land p\lor ", r"\pmod{",
    r"x\equiv 1,", r"\frac{\text{m}", r"\mu", r"\Omega", "all real numbers except ", "5 red ", r"x\ne 1,",
    r", k\in Z", "(k is ", "5 hours 3 ", "or ", ", or ", "; and ", r"\tag{1}", "``",
)  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_a_repeated_piece_is_compared_in_bounded_time(piece: str) -> None:
    for times in (30, 4000 // len(piece)):
        text = piece * times
        began = time.process_time()
        for other in ("5", text + "7", "(1,2)", "x>2"):
            assert compare_texts(text, other, "math").verdict in Verdict
        assert time.process_time() - began < MOST_SECONDS
