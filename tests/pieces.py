"""Which numbers a union of intervals holds, by its definition."""

from inference_kit.grader.comparing.reals.intervals import Pieces


def holds(pieces: Pieces, number: float) -> bool:
    return any(
        (piece.low < number or (piece.low == number and not piece.low_open))
        and (number < piece.high or (number == piece.high and not piece.high_open))
        for piece in pieces
    )
