"""The command line: `jaximpute`, or `python -m jaximpute`."""


def main() -> None:
    """Run the command line and exit with its code."""
    from jaximpute.cli import app

    app(prog_name="jaximpute")


if __name__ == "__main__":
    main()
