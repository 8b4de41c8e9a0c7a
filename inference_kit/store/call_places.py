"""Where calls stand, by key: the newest in a dict, many in sorted columns, most in the index file of their folder.

Why: what is in memory must stay level while millions of calls are logged, and what is found must not be slower for it.
Promises: a place that was noted is found at once, also while the index is written anew on a thread; where that fails,
places stay in memory and nothing is lost. Whoever uses this holds `lock` meanwhile.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from threading import Lock, Thread

from loguru import logger

from inference_kit.store.key_index import NAME, Covered, Entries, KeyIndex, SpoiltIndex, write_index

PACK = 1 << 15
"""Entries in a dict, of 130 bytes each, before they are packed to 24."""
WORTH_AN_INDEX = 50_000
"""New entries for which an index is written when a log is closed, or was read; fewer are read again in 0.1 s."""
MERGE = 1 << 17
"""New entries for which the index is written anew while a log grows, or an eighth of the index, if that is more."""


class CallPlaces:
    """The places of the keys of one folder; a key may have several."""

    def __init__(self, folder: Path, lock: Lock, rank: Callable[[int], object]) -> None:
        """Begin without any.

        Args:
            folder: Where the index is.
            lock: What guards all of this; the thread that writes takes it to put the new index in the old one's place.
            rank: Orders the places of one key; the highest is the one to use.
        """
        self._folder, self._lock, self._rank = folder, lock, rank
        self._recent: dict[bytes, int] = {}
        self._packed: Entries | None = None
        self._merging: Entries | None = None
        self._merger: Thread | None = None
        self._refused = False
        self.index: KeyIndex | None = None

    def begin(self, index: KeyIndex | None) -> None:
        """Forget all, and use an index."""
        if self.index and not self._merger:  # a thread that still reads it closes it
            self.index.close()
        self._recent, self._packed, self._merging, self.index = {}, None, None, index

    @property
    def many(self) -> int:
        """For how many new entries the index is written anew while a log grows."""
        return max(MERGE, len(self.index) // 8) if self.index else MERGE

    @property
    def are_many(self) -> bool:
        """Whether so many new entries are there that the index should be written."""
        return self._packed is not None and len(self._packed) >= self.many and not self._merger and not self._refused

    def note(self, key: bytes, place: int) -> None:
        """Note a place, unless a better one of the same key was noted lately."""
        known = self._recent.get(key)
        if known is None or self._rank(place) > self._rank(known):  # type: ignore[operator]
            self._recent[key] = place
            if len(self._recent) >= PACK:
                self._pack()

    def find(self, key: bytes) -> list[int]:
        """Return the places of a key, the one to use first.

        Raises:
            SpoiltIndex, OSError: where the index cannot be used.
        """
        recent = self._recent.get(key)
        places = [] if recent is None else [recent]
        for entries in (self._packed, self._merging):
            places += entries.find(key) if entries else ()
        if self.index:
            places += self.index.find(key)
        if len(places) > 1:
            places.sort(key=self._rank, reverse=True)  # type: ignore[arg-type]
        return places

    def write(self, covered: list[Covered], gone: Collection[int], *, least: int) -> None:
        """Write the index anew where `least` entries or more are not in it.

        Args:
            covered: What is noted of each file, by its number.
            gone: Numbers of files that are no more.
            least: How many make it worth it.

        Raises:
            SpoiltIndex: where the index that is there is damaged.
        """
        n_new = len(self._recent) + (len(self._packed) if self._packed else 0)
        if n_new < max(1, least) or self._refused:
            return
        self._pack()
        assert self._packed
        try:
            index = write_index(self._folder, covered, self.index, self._packed, gone=gone)
        except OSError as error:
            self._refuse(error)
        else:
            self._use(index)
            self._packed = None

    def write_aside(self, covered: list[Covered], gone: Collection[int], on_damage: Callable[[], None]) -> None:
        """Write the index anew on a thread of its own, while the log grows.

        Args:
            covered: What is noted of each file, by its number.
            gone: Numbers of files that are no more.
            on_damage: Called under the lock where the index that is there is damaged.
        """
        self._pack()  # so that what is covered is in it
        entries, self._packed = self._packed, None
        assert entries
        self._merging = entries
        task = (self.index, covered, entries, gone, on_damage)
        self._merger = Thread(target=self._merge, args=task, daemon=True)
        self._merger.start()

    def wait(self) -> None:
        """Wait for the thread that writes; not under the lock, which that needs."""
        if merger := self._merger:
            merger.join()

    def _pack(self) -> None:
        if self._recent:
            entries, self._recent = Entries.sort(self._recent), {}
            self._packed = self._packed.merge(entries) if self._packed else entries

    def _merge(
        self,
        old: KeyIndex | None,
        covered: list[Covered],
        entries: Entries,
        gone: Collection[int],
        on_damage: Callable[[], None],
    ) -> None:
        index, failure = None, None
        try:
            index = write_index(self._folder, covered, old, entries, gone=gone)
        except (SpoiltIndex, OSError) as error:
            failure = error
        with self._lock:
            self._merger = None
            if self._merging is not entries:  # all was begun anew meanwhile
                for each in (old, index):
                    if each:
                        each.close()
            elif index:
                self._merging = None
                self._use(index)
            elif isinstance(failure, OSError):
                self._packed, self._merging = entries.merge(self._packed) if self._packed else entries, None
                self._refuse(failure)
            else:
                on_damage()

    def _use(self, index: KeyIndex) -> None:
        if self.index:
            self.index.close()
        self.index = index

    def _refuse(self, error: OSError) -> None:
        """Go on with the entries in memory: an index is a help, not a result."""
        self._refused = True
        logger.warning("{}: cannot be written ({}); the next start takes longer", self._folder / NAME, error.strerror)
