"""Text front ends: from what a person writes to the symbols a voice knows, with positions kept on the way."""
