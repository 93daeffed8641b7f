"""``logbraid check``: what is wrong with a configuration, or could be."""

from __future__ import annotations

from logbraid.cli import options
from logbraid.cli.options import bad_input, ends_with


def check(
    module: options.Module = None,
) -> None:
    """Tell what bypasses logbraid, where each setting came from, and which files others may read.

    \b
    logbraid check
    logbraid check myservice.web

    MODULE is imported first, so that the check sees your application as it is configured. Exit
    code 0: nothing to mend; 1: something is.
    """
    from logbraid import doctor  # noqa: PLC0415 - it imports every part

    try:
        code = doctor.main(["check", *([] if module is None else [module])])
    except SystemExit as error:
        raise bad_input(f"{module} ends the process when it is imported") from error
    raise ends_with(code)
