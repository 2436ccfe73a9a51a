"""The layers of VITS, one box of the paper per file; nothing here knows the Hub, text or training."""
