"""The data sets that `--dataset NAME` knows; one line adds one.

An entry is a `partial` of a data set class with its name and its path, a file or a hub id; `--dataset-path FILE` puts a
local file in its place. Splits are those that the sets are usually reported on.
"""

from functools import partial
from pathlib import Path

from inference_kit.dataset.competition_math import MATH, Minerva
from inference_kit.dataset.gsm8k import GSM8K
from inference_kit.dataset.multiple_choice import MMLU, AQuA, SATMath
from inference_kit.dataset.olympiadbench import OlympiadBench
from inference_kit.dataset.question_answer import Contest, QuestionAnswer
from inference_kit.dataset.simpledataset import SimpleDataset
from inference_kit.dataset.svamp import SVAMP

benchmark = Path(__file__).resolve().parent / "benchmark"

supported_dataset = {
    "abacus": partial(GSM8K, dataset_name="abacus", dataset_path=str(benchmark / "abacus.jsonl")),
    "example": partial(SimpleDataset, dataset_name="example", dataset_path=str(benchmark / "example_dataset.json")),
    "gsm8k": partial(GSM8K, dataset_name="gsm8k", dataset_path="openai/gsm8k", subset="main"),
    "math": partial(MATH, dataset_name="math", dataset_path="DigitalLearningGmbH/MATH-lighteval"),
    "math500": partial(MATH, dataset_name="math500", dataset_path="HuggingFaceH4/MATH-500"),
    "aime24": partial(Contest, dataset_name="aime24", dataset_path="HuggingFaceH4/aime_2024", split="train"),
    "amc23": partial(Contest, dataset_name="amc23", dataset_path="math-ai/amc23"),
    "olympiadbench": partial(
        OlympiadBench,
        dataset_name="olympiadbench",
        dataset_path="Hothan/OlympiadBench",
        subset="OE_TO_maths_en_COMP",
        split="train",
    ),
    "minerva_math": partial(Minerva, dataset_name="minerva_math", dataset_path="math-ai/minervamath"),
    "gaokao2023en": partial(
        QuestionAnswer,
        dataset_name="gaokao2023en",
        dataset_path="MARIO-Math-Reasoning/Gaokao2023-Math-En",
        split="train",
    ),
    "svamp": partial(SVAMP, dataset_name="svamp", dataset_path="ChilleD/SVAMP", split="train+test"),
    "college_math": partial(QuestionAnswer, dataset_name="college_math", dataset_path="di-zhang-fdu/College_Math_Test"),
    "cmath": partial(
        QuestionAnswer,
        dataset_name="cmath",
        dataset_path="weitianwen/cmath",
        split="validation",
        prompt_template="cot_boxed_zh",
    ),
    "aqua": partial(
        AQuA, dataset_name="aqua", dataset_path="deepmind/aqua_rat", subset="raw", prompt_template="choice_boxed"
    ),
    "mmlu_stem": partial(
        MMLU, dataset_name="mmlu_stem", dataset_path="TIGER-Lab/MMLU-STEM", prompt_template="choice_boxed"
    ),
    "sat_math": partial(
        SATMath,
        dataset_name="sat_math",
        dataset_path="mcaleste/sat_multiple_choice_math_may_23",
        split="train",
        prompt_template="choice_boxed",
    ),
}
