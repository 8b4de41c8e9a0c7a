"""Code comes out of a reply as the model wrote it."""

import pytest

from inference_kit.transform.replies import strip_fences


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("x = 1", "x = 1"),
        ("\n\n    x = 1\n\n", "    x = 1"),
        ("```python\nx = 1\n```", "x = 1"),
        ("Sure!\n```\n\n  x = 1\n\n```\nDone.", "\n  x = 1\n"),
        ("```py\na\n```\ntext\n```py\nb\n```", "a"),
        ("~~~\n```\na\n```\n~~~", "```\na\n```"),
        ("````md\n```\na\n```\n````", "```\na\n```"),
        ("```python\nx = 1\n", "x = 1"),
        ("Sure:\n```python\nx = 1", "x = 1"),
        ("```python\nprint('```')\n```", "print('```')"),
        ("inline `code` stays", "inline `code` stays"),
        ("```python\n```", ""),
        ("   \n ", ""),
        ("", ""),
    ],
)
def test_the_first_whole_block_is_taken_out(reply: str, code: str) -> None:
    """XF-09."""
    assert strip_fences(reply) == code
