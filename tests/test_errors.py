"""Errors: one line, in which whoever shows it spells the settings."""

import pickle

from inference_kit.errors import RunStopped, UserError, named


def test_a_setting_is_spelled_by_the_face_that_shows_the_error() -> None:
    error = UserError("it is too small", where=named("max_new_tokens"), fix=f"Raise {named('num_ctx')}, or shorten.")
    assert str(error) == "--max-new-tokens: it is too small. Raise --num-ctx, or shorten."
    error.spell = str.upper
    assert str(error) == "MAX_NEW_TOKENS: it is too small. Raise NUM_CTX, or shorten."


def test_what_looks_like_a_flag_and_is_no_setting_stays_as_it_is() -> None:
    error = UserError("no such folder", fix="Fetch it: hf download x --local-dir FOLDER.")
    error.spell = str.upper
    assert str(error).endswith("--local-dir FOLDER.")


def test_a_limit_of_the_run_names_its_setting_too() -> None:
    assert str(RunStopped(f"{named('max_cost')} 3 is spent")) == "--max-cost 3 is spent"


def test_an_error_of_a_copied_process_says_the_same() -> None:
    error = UserError("it is too small", where=named("n"))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
