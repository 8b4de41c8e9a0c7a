"""How many connections a process may have, by its limit of open files."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from inference_kit.models.http.pacing.open_files import limit_connections
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
limit_connections(100)  # as set-up does
print(limit_connections(100), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def limit(soft: int, hard: int) -> tuple[int, int, str]:
    """Return the connections and the soft limit of a process with such limits that wants 100, and what it says."""
    words = [sys.executable, "-c", PROGRAM, str(soft), str(hard)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    allowed, now = map(int, done.stdout.split())
    return allowed, now, done.stderr


def test_the_soft_limit_is_raised_where_the_hard_one_allows() -> None:
    """Issue 12: 256 is the default of macOS."""
    allowed, now, said = limit(64, 1000)
    assert (allowed, said) == (100, "")
    assert 200 < now <= 1000


@pytest.mark.parametrize(("hard", "least", "most"), [(128, 20, 50), (64, 1, 15), (20, 1, 1)])
def test_fewer_requests_are_made_at_once_where_it_does_not(hard: int, least: int, most: int) -> None:
    allowed, _, said = limit(20, hard)
    assert least <= allowed <= most
    assert said.count("server_concurrency") == 1


def test_a_limit_that_suffices_is_left_alone() -> None:
    assert limit(900, 1000) == (100, 900, "")
