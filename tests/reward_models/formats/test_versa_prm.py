"""VersaPRM and its kin: the probability of + against - at the line breaks behind each step."""

from pathlib import Path

import pytest
import tiny_models
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from inference_kit.errors import UserError
from inference_kit.records import Message, Problem
from inference_kit.reward_models.formats.versa_prm import VersaPRM

PROBLEM = Problem("1", (Message("user", "How many?"),))
SOLUTIONS = [("So the sum is 12.", "The answer is 42."), ("Ada",), ("Ada has", "12 + 30", "= 42")]
MATH_PSA = {"tag": " \n\n\n\n\n", "question_separator": " ", "separator": " ", "spaced_verdicts": True}


@torch.inference_mode()
def test_scores_are_those_of_a_straightforward_computation(folders: dict[str, Path]) -> None:
    """The card of VersaPRM: the whole text at once, P(+) wherever the tag's token stands."""
    folder = folders["versa"]
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    bad, good = (tokenizer.encode(sign, add_special_tokens=False)[-1] for sign in "-+")
    tag = tokenizer.encode(" \n\n\n\n", add_special_tokens=False)[-1]
    scorer = VersaPRM(str(folder))
    for steps, found in zip(SOLUTIONS, scorer.score_batch([(PROBLEM, each) for each in SOLUTIONS]), strict=True):
        ids = torch.tensor([tokenizer.encode("How many? \n\n" + " \n\n\n\n".join(steps) + " \n\n\n\n")])
        expected = model(ids).logits[:, :, [bad, good]].softmax(-1)[:, :, 1][ids == tag]
        assert found.scores == pytest.approx(expected.tolist(), abs=1e-4)


@torch.inference_mode()
def test_math_psa_is_the_same_with_other_settings(folders: dict[str, Path]) -> None:
    """OpenR's `infer_fns.py`: five line breaks with a space on both sides, + and - behind a space."""
    folder = folders["versa"]
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    good, bad = (tokenizer.encode(f" {sign}")[-1] for sign in "+-")
    [tag] = tokenizer.encode(" \n\n\n\n\n", add_special_tokens=False)
    steps = ("Step 1: Ada has 12.", "Step 2: So 42.")
    ids = torch.tensor([tokenizer.encode("How many? " + "".join(f"{step} \n\n\n\n\n " for step in steps)[:-1])])
    expected = model(ids).logits[:, :, [good, bad]].softmax(-1)[:, :, 0][ids == tag]
    assert len(expected) == 2
    scorer = VersaPRM(str(folder), **MATH_PSA)
    scorer.check()
    assert scorer.score(PROBLEM, steps) == pytest.approx(expected.tolist(), abs=1e-4)
    assert scorer.identity != VersaPRM(str(folder)).identity


@pytest.mark.parametrize("gap", ["\n\n\n\n", "\n\n\n\n\n\n", "\n \n \n\t\n", "\n\n \n\n\n"])
def test_blank_lines_in_a_step_end_none(gap: str, folders: dict[str, Path]) -> None:
    """A step with the tag in it reads as one with a single blank line there, one that ends with it as one without."""
    scorer = VersaPRM(str(folders["versa"]))
    for forged in (f"Ada{gap}has 12.{gap}", f" {gap}Ada{gap}has 12. {gap}"):
        text = scorer.encode_checked(PROBLEM, (forged, "42"))
        assert text == scorer.encode_checked(PROBLEM, ("Ada\n\nhas 12.", "42"))
    tag = scorer.encode(" \n\n\n\n")[-1]
    assert scorer.encode_checked(PROBLEM, (f"Ada {gap}has", "42")).ids.count(tag) == 2


def test_a_tokenizer_without_the_tag_is_refused(tmp_path: Path) -> None:
    folder = tiny_models.write(tmp_path)
    with pytest.raises(UserError, match=r"' \\n\\n\\n\\n' is not one token of this model, and versa_prm reads"):
        VersaPRM(str(folder)).check()
