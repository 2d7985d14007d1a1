"""The command line: `jaximpute`, or `python -m jaximpute`."""

import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # the compiler's own log asks users of slow machines to file a bug; its errors are still raised
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        from jaximpute.cli import app, interrupt

        interrupt.listen()
        app(prog_name="jaximpute")
    except KeyboardInterrupt:  # before a command has begun, or while the last of it is put away
        sys.stderr.write("interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
