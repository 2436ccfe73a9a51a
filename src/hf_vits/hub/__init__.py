"""Hugging Face Hub: known voices, model cards, licenses, login and checkpoints of weights."""
