"""RateLimit: the number of requests under way follows what the server takes."""

import asyncio

from inference_kit.models.http.pacing.rate_limit import RateLimit


def test_refusals_lower_the_number_of_requests_and_answers_raise_it_again() -> None:
    async def through() -> list[int]:
        limiter, seen = RateLimit(16), []
        tickets = [await limiter.acquire() for _ in range(16)]
        for ticket in tickets:
            limiter.decrease(ticket)
        seen.append(limiter.limit)
        limiter.decrease(limiter._n_decreases)
        seen.append(limiter.limit)
        for _ in range(100):
            limiter.increase()
        return [*seen, limiter.limit]

    assert asyncio.run(through()) == [8, 4, 16]


def test_who_leaves_the_queue_takes_no_place() -> None:
    async def third_of_three() -> bool:
        limiter = RateLimit(1)
        await limiter.acquire()
        first, second, third = (asyncio.create_task(limiter.acquire()) for _ in range(3))
        await asyncio.sleep(0)
        first.cancel()
        limiter.release()  # the second is let through, and cancelled before it knows
        second.cancel()
        await asyncio.wait([first, second])
        await asyncio.wait([third], timeout=1)
        return third.done() and first.cancelled() and second.cancelled()

    assert asyncio.run(third_of_three())
