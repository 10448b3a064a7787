"""`python -m job`, and `mnist-job`."""

import os
import signal
import sys

TERMINATED = 143


def main() -> None:
    """Run the command line, and leave at once when it is done.

    What is to stay is written and flushed by then. Python itself would wait for the threads of libraries, such as
    a downloader's that tries again, and TensorFlow would take 1.5 CPU-seconds to put itself away.
    A signal that comes while the command line is only being loaded ends it without a word.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(TERMINATED))
    from job.cli import app

    try:
        app()
    except SystemExit as ended:
        if not isinstance(ended.code, int | None):
            raise  # Python prints it
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code or 0)


if __name__ == "__main__":
    main()
