"""The report: one HTML page that tells of a run and needs nothing but itself.

A component that writes such a page leaves two places in it, HTML comments, for whoever runs the job and knows what
no component does: how to reproduce the run, and what its steps took. A model card, which is Markdown, has one.
"""

RUN_PLACE = "<!-- the run -->"
"""Where sections on the run belong: within `main`, after the last section."""
RUN_LINKS_PLACE = "<!-- links to the run -->"
"""Where list items that lead to these sections belong."""
CARD_RUN_PLACE = "<!-- the run: command, configuration, fingerprints -->"
"""In a model card, a block of its own: where it belongs how to make the run again, below a heading that says so."""
