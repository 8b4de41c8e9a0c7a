"""Where a reply or a step ends: stop texts across steps, and special tokens, which no text shows."""

import pytest
import tiny_models

from inference_kit.models.decode.detokenize import Detokenizer
from inference_kit.models.decode.sequences import SequenceState
from inference_kit.records import FinishReason, GenerationConfig

CONFIG = GenerationConfig(boundary="\n\n", stop=("\n\nQuestion", "no such end"))


def encode(text: str) -> tuple[int, ...]:
    return tuple(tiny_models.tokenizer().encode(text, add_special_tokens=False))


def write(prefix: str, text: str, config: GenerationConfig) -> SequenceState:
    """Write a text behind a partial answer until it ends."""
    detokenizer = Detokenizer(tiny_models.tokenizer(), encode("So?" + prefix), encode(prefix))
    sequence = detokenizer.begin_sequence(config, 0, 1000)
    for token in encode(text):
        sequence.token_ids.append(token)
        if sequence.find_end and (reason := sequence.find_end(sequence.token_ids)):
            sequence.finish_reason = reason
            break
    return sequence


def read(prefix: str, sequence: SequenceState) -> str:
    sequence.finish_reason = sequence.finish_reason or "length"
    return Detokenizer(tiny_models.tokenizer(), encode("So?" + prefix), encode(prefix)).build_completion(sequence).text


@pytest.mark.parametrize(
    ("prefix", "text", "reason", "shown"),
    [
        ("The sum is 12.\n\n", "Question: what is left?", "stop", ""),
        ("The sum is 12.\n", "\nQuestion: what is left?", "stop", ""),
        ("The sum is 12.", "\n\nQuestion: what is left?", "boundary", "\n\n"),
        ("The sum is 12.\n\nQuest", "ion: what", "stop", ""),
        ("12\n\nQuestion of before. ", "So it is 42.\n\nThe", "boundary", "So it is 42.\n\n"),
        ("The sum.\n\n", "A Question.\n\n", "boundary", "A Question.\n\n"),
        ("", "Question?", None, "Question?"),
    ],
)
def test_a_stop_text_that_begins_in_the_step_before_is_seen(
    prefix: str, text: str, reason: FinishReason | None, shown: str
) -> None:
    """Issue 13, F9."""
    sequence = write(prefix, text, CONFIG)
    assert sequence.finish_reason == reason
    assert read(prefix, sequence) == shown


@pytest.mark.parametrize("mark", ["<|user|>", "<|end|>"])
def test_a_stop_text_that_is_a_special_token_stops(mark: str) -> None:
    """Issue 13, F10: ids are decoded without special tokens."""
    sequence = write("", f"So it is 42.{mark} And more", GenerationConfig(stop=(mark,)))
    assert sequence.finish_reason == "stop"
    assert read("", sequence) == "So it is 42."


def test_a_boundary_that_is_a_special_token_ends_a_step_and_stays() -> None:
    """Budget forcing looks for its end of thinking in the text."""
    sequence = write("", "Hm, hm.<|system|>So it is 42.", GenerationConfig(boundary="<|system|>"))
    assert sequence.finish_reason == "boundary"
    assert read("", sequence) == "Hm, hm.<|system|>"
    both = write("", "Hm.<|system|>So", GenerationConfig(boundary="<|system|>", stop=("<|system|>",)))
    assert (both.finish_reason, read("", both)) == ("stop", "Hm.")


def test_a_word_of_the_vocabulary_is_a_text_and_no_mark() -> None:
    detokenizer = Detokenizer(tiny_models.tokenizer(), (), ())
    assert detokenizer.find_marks(GenerationConfig(stop=("apples", "a", "\n", "<|pad|>"), boundary="The")) == {
        "<|pad|>": 0
    }
