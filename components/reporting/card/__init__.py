"""The model card: what the artifacts of a run state, as one text of Markdown, which the report shows as a section."""
