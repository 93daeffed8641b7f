"""What happened to a list of lines: by comparing it with what was sealed, or by its own chain.

With the sealed leaf hashes (``compare``) nothing is guessed but which of two words fits: a line
in the place of a missing one was modified, else one was deleted and one inserted. Without them
(``walk``), in a segment that was never sealed, numbers and links tell nearly as much.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise

from logbraid.audit.chain import Link
from logbraid.audit.findings import DELETED, FOREIGN, GAP, INSERTED, MODIFIED, REORDERED

Told = tuple[str, int | None, str]
"""Kind, record, detail."""

IsForeign = Callable[[Link], bool]


def compare(links: Sequence[Link], leaves: Sequence[bytes], is_foreign: IsForeign) -> list[Told]:
    """Return what differs between the lines that are there and the hashes that were sealed."""
    index = {leaf: number for number, leaf in enumerate(leaves)}
    places: list[int | None] = []
    seen: set[int] = set()
    told: list[Told] = []
    for one in links:
        number = index.get(one.digest)
        if number is not None and number in seen:
            told.append((INSERTED, number, "the record stands there twice"))
            continue
        if number is not None:
            seen.add(number)
            if not one.is_whole:
                told.append((MODIFIED, number, "its own hash was changed"))
        places.append(number)
    missing = set(range(len(leaves))) - seen
    extras = [one for one in links if one.digest not in index]
    told += _replaced(places, extras, missing, is_foreign)
    told += [
        (DELETED, number, "the seal covers a record that is not there")
        for number in sorted(missing)
    ]
    order = [number for number in places if number is not None]
    told += [
        (REORDERED, number, "it does not stand where it was written")
        for number in out_of_order(order)
    ]
    return told


def _replaced(
    places: Sequence[int | None],
    extras: Sequence[Link],
    missing: set[int],
    is_foreign: IsForeign,
) -> list[Told]:
    """Return what the lines are that nobody sealed; takes those out of *missing* that they were."""
    told: list[Told] = []
    lines = iter(extras)
    expected = 0
    for number in places:
        if number is not None:
            expected = number + 1
            continue
        one = next(lines)
        if is_foreign(one):
            told.append((FOREIGN, expected, "the record belongs to another segment"))
        elif expected in missing:
            missing.discard(expected)
            told.append((MODIFIED, expected, "the record is not the one that was sealed"))
            expected += 1
        elif one.seq in missing:
            missing.discard(one.seq)
            told.append((MODIFIED, one.seq, "the record is not the one that was sealed"))
        else:
            told.append((INSERTED, expected, "nobody sealed this record"))
    return told


def out_of_order(numbers: Sequence[int]) -> list[int]:
    """Return the fewest of *numbers* without which the rest ascends."""
    if all(one < two for one, two in pairwise(numbers)):
        return []
    tails: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for place, number in enumerate(numbers):
        slot = bisect_left(tails, number)
        before.append(at[slot - 1] if slot else -1)
        tails[slot : slot + 1] = [number]
        at[slot : slot + 1] = [place]
    keep = set()
    place = at[-1] if at else -1
    while place >= 0:
        keep.add(place)
        place = before[place]
    return [number for place, number in enumerate(numbers) if place not in keep]


def walk(links: Sequence[Link], first: str, is_foreign: IsForeign) -> list[Told]:
    """Return what a chain that begins with ``prev`` *first* tells about itself."""
    told: list[Told] = []
    where = {one.seq: place for place, one in enumerate(links) if one.is_whole}
    seen: set[bytes] = set()
    seq, prev = 0, first
    for place, one in enumerate(links):
        if not one.is_whole:
            told.append((MODIFIED, seq, "its hash does not fit its text"))
            seq, prev = seq + 1, ""
            continue
        if one.digest in seen:
            told.append((INSERTED, one.seq, "the record stands there twice"))
            continue
        seen.add(one.digest)
        if one.seq == seq and prev in ("", one.prev):
            seq, prev = seq + 1, one.digest.hex()
            continue
        told.append(_misfit(one, place, seq, where, is_foreign))
        if told[-1][0] not in (FOREIGN, INSERTED) and one.seq >= seq:
            seq, prev = one.seq + 1, one.digest.hex()
    return told


def _misfit(one: Link, place: int, seq: int, where: dict[int, int], is_foreign: IsForeign) -> Told:
    if is_foreign(one):
        return FOREIGN, seq, "the record belongs to another segment"
    if one.seq > seq:
        if where.get(seq, -1) > place:
            return REORDERED, one.seq, "it does not stand where it was written"
        last = one.seq - 1
        which = f"records {seq} to {last} are" if last > seq else f"record {seq} is"
        return (GAP if seq == 0 else DELETED), seq, f"{which} not there"
    if one.seq < seq:
        return REORDERED, one.seq, "it does not stand where it was written"
    if seq == 0:
        return FOREIGN, 0, "the first line does not follow from the manifest"
    return MODIFIED, seq - 1, "the next record was written after another text"
