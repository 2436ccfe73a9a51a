"""Inference: the arguments of a call, and streaming."""
