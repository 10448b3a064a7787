"""Progress that tests examine."""

from components.base.progress import NoProgress


class RecordingProgress(NoProgress):
    """Stores messages and warnings."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.warnings: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    def warning(self, text: str) -> None:
        self.warnings.append(text)
