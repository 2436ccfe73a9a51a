"""Layers of VITS, one box of the paper's figure 1 per file; nothing here knows the Hub, text or training."""
