"""FairQueue: those who are answered at the same moment go on a few at a time."""

import asyncio

from inference_kit.models.http.pacing.fairness import AT_ONCE, FairQueue


def test_a_few_go_on_at_once() -> None:
    async def rounds() -> list[bool]:
        queue, done = FairQueue(), [False] * AT_ONCE

        async def take(place: int) -> None:
            await queue.wait_turn()
            done[place] = True

        tasks = [asyncio.create_task(take(place)) for place in range(AT_ONCE)]
        await asyncio.sleep(0)
        assert len(tasks) == AT_ONCE
        return done

    assert all(asyncio.run(rounds()))


def test_of_many_the_first_have_asked_again_before_the_last_go_on() -> None:
    """What one does in the round after its turn, such as sending, comes before the next few have theirs."""

    async def told() -> list[str]:
        queue, said = FairQueue(), list[str]()

        async def work(number: int) -> None:
            await queue.wait_turn()
            said.append(f"work {number}")
            asyncio.get_running_loop().call_soon(said.append, f"ask {number}")

        await asyncio.gather(*(work(number) for number in range(5 * AT_ONCE)))
        return said

    said = asyncio.run(told())
    assert [word for word in said if word.startswith("work")] == [f"work {number}" for number in range(5 * AT_ONCE)]
    assert said.index("ask 0") < said.index(f"work {2 * AT_ONCE}")
    assert said.index(f"ask {2 * AT_ONCE}") < said.index(f"work {4 * AT_ONCE}")


def test_whoever_is_cancelled_holds_nobody_up() -> None:
    async def told() -> list[int]:
        queue, done = FairQueue(), list[int]()

        async def work(number: int) -> None:
            await queue.wait_turn()
            done.append(number)

        tasks = [asyncio.create_task(work(number)) for number in range(4 * AT_ONCE)]
        await asyncio.sleep(0)
        for task in tasks[AT_ONCE : 3 * AT_ONCE]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
        await queue.wait_turn()
        return done

    assert asyncio.run(told()) == [*range(AT_ONCE), *range(3 * AT_ONCE, 4 * AT_ONCE)]
