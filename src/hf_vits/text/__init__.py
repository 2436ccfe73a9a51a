"""Text front ends: from written text to the tokens of a voice, with offsets into the original text."""
