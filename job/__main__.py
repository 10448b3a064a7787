"""`python -m job`, and `mnist-job`."""

import os
import signal
import sys

TERMINATED = 143


def main() -> None:
    """Run the command line; a signal that comes while it is only being loaded ends it without a word."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(TERMINATED))
    from job.cli import app

    try:
        app()
    except SystemExit as ended:
        if ended.code != TERMINATED:
            raise
        # Everything is saved. Python would wait for the threads of libraries, such as a downloader's that tries again.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(TERMINATED)


if __name__ == "__main__":
    main()
