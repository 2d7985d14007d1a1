"""The command line: `jaximpute`, or `python -m jaximpute`."""

import os


def main() -> None:
    """Run the command line and exit with its code."""
    # the compiler's own log asks users of slow machines to file a bug; its errors are still raised
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    from jaximpute.cli import app

    app(prog_name="jaximpute")


if __name__ == "__main__":
    main()
