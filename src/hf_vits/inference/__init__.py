"""Inference: arguments of a call, durations, streaming and inference mode."""
