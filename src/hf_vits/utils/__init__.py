"""Files, folders, settings, processes and messages; nothing here is specific to speech."""
