"""`python -m job`, and `mnist-job`."""

import gc
import os
import signal
import sys

TERMINATED = 143
COLLECTION = (50_000, 20, 50)
"""Objects after which Python looks for garbage, in place of 700 (2,000 from Python 3.13 on). To import TensorFlow and
Keras makes so many that stay, that to look among them for some that do not takes a fifth of the time."""


def main() -> None:
    """Run the command line, and leave at once when it is done.

    What is to stay is written and flushed by then. Python itself would wait for the threads of libraries, such as
    a downloader's that tries again, and TensorFlow would take 1.5 CPU-seconds to put itself away.
    A signal that comes while the command line is only being loaded ends it without a word.
    """
    gc.set_threshold(*COLLECTION)
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
