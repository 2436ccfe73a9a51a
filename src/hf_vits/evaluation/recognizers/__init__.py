"""Speech recognizers, one per file, by the registry `RECOGNIZERS`."""
