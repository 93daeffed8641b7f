"""Find secrets by name, by value and by surroundings, behind one Scrubber."""

from logbraid.scrub.scrubber import Scrubber

__all__ = ["Scrubber"]
