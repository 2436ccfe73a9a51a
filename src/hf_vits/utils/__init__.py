"""Files, folders, settings, processes and messages: what knows nothing of speech."""
