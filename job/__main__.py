"""`python -m job`, and `mnist-job`."""

import os
import signal


def main() -> None:
    """Run the command line; a signal that comes while it is only being loaded ends it without a word."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(143))
    from job.cli import app

    app()


if __name__ == "__main__":
    main()
