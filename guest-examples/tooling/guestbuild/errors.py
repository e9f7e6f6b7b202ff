from __future__ import annotations


class ToolchainError(Exception):
    """A tool is missing or refused to work; the text is for the person at the terminal and says what to do."""
