"""What goes to a terminal: names with nothing in them that it would obey, and what is going on."""

import shutil
import sys

CLEAR = "\r\x1b[K"


def visible(text: str) -> str:
    r"""A text with control characters as escapes, line breaks aside.

    Names of columns come from files, and a terminal would obey them.

    Example:
        >>> visible("a\x1b[2J")
        'a\\x1b[2J'
    """
    return "".join(
        letter
        if letter == "\n" or (letter.isprintable() or letter == " ")
        else letter.encode("unicode_escape").decode()
        for letter in text
    )


def is_shown() -> bool:
    """Whether stderr is a terminal, and not closed."""
    return sys.stderr is not None and sys.stderr.isatty()


def stage(text: str, *, show: bool = True) -> None:
    """Say on stderr what begins now, in place of what was said before; nothing if no terminal.

    Args:
        text: such as "reading in.csv"; an empty one takes the line away.
        show: False says nothing.
    """
    if show and is_shown():
        room = shutil.get_terminal_size().columns - 1
        line = visible(f"{text} ..." if text else "").replace("\n", " ")
        sys.stderr.write(CLEAR + (line if len(line) <= room else line[: room - 1] + "…"))
        sys.stderr.flush()
