"""The report: one HTML page that tells of a run and needs nothing but itself.

A component that writes such a page leaves two places in it, HTML comments, for whoever runs the job and knows what
no component does: how to reproduce the run, and what its steps took.
"""

RUN_PLACE = "<!-- the run -->"
"""Where sections on the run belong: within `main`, after the last section."""
RUN_LINKS_PLACE = "<!-- links to the run -->"
"""Where list items that lead to these sections belong."""
