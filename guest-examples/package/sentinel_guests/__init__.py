"""The standard guests of the Sentinel gateway, as files; nothing here runs."""
