"""The command ``logbraid``: questions to what logbraid writes, from a terminal.

The roof of the house: it may import every wing and nothing imports it. ``main.py`` starts,
``app.py`` has all commands on one screen.
"""
