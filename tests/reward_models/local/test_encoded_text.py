"""EncodedText: where scores are read."""

import pytest

from inference_kit.errors import EngineError
from inference_kit.reward_models.local.encoded_text import EncodedText


def test_positions_are_the_last_token_of_each_piece_behind_the_prefix() -> None:
    assert EncodedText.from_pieces([[4, 5], [6]], prefix=[1, 2]) == EncodedText((1, 2, 4, 5, 6), (3, 4))
    assert EncodedText.from_pieces([[4, 5], [6]]) == EncodedText((4, 5, 6), (1, 2))


def test_positions_are_the_tags_and_their_number_is_checked() -> None:
    assert EncodedText.from_tags([4, 9, 5, 9], 9, n_steps=2) == EncodedText((4, 9, 5, 9), (1, 3))
    with pytest.raises(EngineError, match="2 tags of the reward model stand in a text of 3 steps"):
        EncodedText.from_tags([4, 9, 5, 9], 9, n_steps=3)
