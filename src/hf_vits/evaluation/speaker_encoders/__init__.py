"""Speaker encoders, one per file, by the registry `SPEAKER_ENCODERS`."""
