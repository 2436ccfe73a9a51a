"""Formats of other projects' voices, one file each."""
