"""Entry point of `python -m job` and `mnist-job`."""

import gc
import os
import signal
import sys

TERMINATED = 143
GC_THRESHOLDS = (50_000, 20, 50)
"""Allocations before Python's cyclic garbage collector runs, instead of 700 (2,000 from Python 3.13 on). Importing
TensorFlow and Keras creates many permanent objects, and scanning them takes a fifth of the time."""


def main() -> None:
    """Run the command line, and end the process without Python's own clean-up.

    All output is flushed before. Python would wait for the threads of libraries, such as a downloader that retries,
    and TensorFlow would take 1.5 CPU-seconds to shut down. A signal during the import of the command line ends the
    process silently.
    """
    gc.set_threshold(*GC_THRESHOLDS)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(TERMINATED))
    from job.cli import app

    try:
        app()
    except SystemExit as error:
        if not isinstance(error.code, int | None):
            raise  # Python prints it
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(error.code or 0)


if __name__ == "__main__":
    main()
