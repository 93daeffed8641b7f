"""The one table of settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ScrubRules:
    """What the scrubber does beyond its own rules.

    ``extra_keys`` are further field names whose values are secret, ``safe_keys`` names that never
    are (both match like the built-in ones: by words, so ``"customer pin"`` is ``customerPin`` too).
    ``patterns`` maps a kind to a pattern that is looked for in every string. ``personal_data``
    also redacts e-mail addresses, phone numbers, IBANs and US social security numbers.
    """

    extra_keys: tuple[str, ...] = ()
    safe_keys: tuple[str, ...] = ()
    patterns: Mapping[str, str | re.Pattern[str]] = field(default_factory=dict)
    personal_data: bool = False
