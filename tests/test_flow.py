"""The one loop that keeps many things in flight."""

import asyncio
from typing import Any

import pytest

from inference_kit.flow import unordered_map


def test_what_finished_beside_a_failure_is_yielded_before_it_and_no_failure_is_lost() -> None:
    complaints: list[dict[str, Any]] = []

    async def work(item: int) -> int:
        await asyncio.sleep(0)
        if item % 2:
            raise ValueError(item)
        return item

    async def all_of_them() -> list[int]:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        found: list[int] = []
        with pytest.raises(ValueError, match=r"1|3|5"):
            async for item in unordered_map(range(6), work, limit=6):
                found.append(item)
        return found

    assert sorted(asyncio.run(all_of_them())) == [0, 2, 4]
    assert not complaints
