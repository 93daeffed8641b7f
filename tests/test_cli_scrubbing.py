"""``logbraid scrub`` of lines too long to be held: a cut lets no secret out."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

pytest.importorskip("typer", reason="the command needs the extra cli")

from logbraid.cli.scrubbing import Cleaner
from logbraid.cli.viewing import incoming
from logbraid.scrub import Scrubber
from logbraid.settings import ScrubRules

LONGEST = 1 << 17


def scrubbed(text: bytes) -> bytes:
    """Return what ``scrub`` makes of *text* if lines longer than 128 KiB come in pieces."""
    cleaner = Cleaner(Scrubber(ScrubRules()))
    reading, writing = os.pipe()

    def write() -> None:
        with suppress(BrokenPipeError), os.fdopen(writing, "wb") as pipe:
            pipe.write(text)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        pieces = incoming(reading, keep_ends=True, cut=cleaner.seam, longest=LONGEST)
        done = [piece for lines in pieces for piece in cleaner.texts(lines)]
        return b"".join((*done, *cleaner.rest()))
    finally:
        os.close(reading)
        writer.join()


SECRETS: dict[str, Callable[[bytes], bytes]] = {
    "a pair": lambda canary: b"password=" + canary + b" ",
    "a field": lambda canary: b'","password":"two words ' + canary + b' and more","note":"',
    "a header": lambda canary: b"Authorization: Bearer " + canary * 3 + b" ",
    "a URL": lambda canary: b"postgres://agent:" + canary + b"@db/shop ",
}


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("before", range(-60, 21, 20))
@pytest.mark.parametrize("cut", [LONGEST, LONGEST + (1 << 16)])
def test_a_secret_where_a_long_line_would_be_cut_is_taken_out(
    kind: str, before: int, cut: int
) -> None:
    # Read so far when it is first asked about, and where a place is looked for from
    start = b'{"event":"x","note":"'
    harmless = b"so it went on "
    fill = (harmless * (cut // len(harmless) + 1))[: cut + before - len(start)]
    secret = SECRETS[kind](b"hunter2k93hd82")
    text = start + fill + secret + harmless * 9000 + b'"}\nnext\n'
    done = scrubbed(text)
    assert b"hunter2" not in done
    assert b"[REDACTED:" in done
    assert done.endswith(b'so it went on "}\nnext\n')


def test_a_long_line_without_a_secret_leaves_as_it_came() -> None:
    text = b"and so on " * 60_000 + b"\nnext"
    assert scrubbed(text) == text


def test_a_long_line_without_a_place_to_cut_is_held_whole() -> None:
    text = b"start" + b"x" * 500_000 + b" password=hunter2k93hd82 end"
    done = scrubbed(text)
    assert b"hunter2" not in done
    assert done.startswith(b"startxxx")


KEY = (
    b"-----BEGIN PRIVATE KEY-----\n"
    b"MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAMQ6\n"
    b"kiG9w0BA==\n"
)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (b"a\n" + KEY + b"-----END PRIVATE KEY-----\nb\n", [b"a", b"b"]),
        (b"a\n" + KEY + b"12:00 paid order 7\nc\n", [b"a", b"12:00 paid order 7", b"c"]),
        (
            b"a\nsee -----BEGIN PRIVATE KEY-----\n12:00 one\n12:01 two\n",
            [b"12:00 one", b"12:01 two"],
        ),
        (KEY + b'{"event":"paid"}\n' + KEY, [b'{"event":"paid"}']),
        (KEY.replace(b"\n", b"\nweb_1 | ") + b"12:00 b\n12:01 c\n", [b"12:01 c"]),
    ],
)
def test_a_key_without_its_end_takes_no_other_line_with_it(text: bytes, left: list[bytes]) -> None:
    done = scrubbed(text)
    assert b"MIICdg" not in done
    assert b"kiG9w0" not in done
    lines = done.splitlines()
    assert [line for line in left if line in lines] == left
