"""Entry point of `python -m job` and `mnist-job`."""

import gc
import os
import signal

TERMINATED = 143
GC_THRESHOLDS = (50_000, 20, 50)
"""Allocations before Python's cyclic garbage collector runs, instead of 700 (2,000 from Python 3.13 on). Importing
TensorFlow and Keras creates many permanent objects, and scanning them takes a fifth of the time."""


def main() -> None:
    """Run the command line, and end the process without Python's own clean-up.

    Python would wait for the threads of libraries, such as a downloader that retries, and TensorFlow would take 1.5
    CPU-seconds to shut down. A signal before or after a command (see `job.frame`) ends the process silently.
    """
    for number in (signal.SIGTERM, signal.SIGINT):  # first: until then, a process 1 ignores SIGTERM
        signal.signal(number, lambda *_: os._exit(TERMINATED))
    gc.set_threshold(*GC_THRESHOLDS)
    from job.cli import app

    try:
        app()
    except SystemExit as error:
        os._exit(int(error.code or 0))


if __name__ == "__main__":
    main()
