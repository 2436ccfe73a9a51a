"""Data for training and synthesis: read tables and sound, select rows, and collate batches."""
