"""Find secrets by name, by value and by surroundings, behind one Scrubber."""
