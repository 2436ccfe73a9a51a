"""Recorded speech in, a voice out: everything that only training needs."""
