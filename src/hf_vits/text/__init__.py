"""Text front ends: convert a text to the tokens of a model, with offsets into the text."""
