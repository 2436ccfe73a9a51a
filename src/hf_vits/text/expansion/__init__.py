"""Expansion of written forms: numbers, money, dates, units, abbreviations and others as a person reads them.

A language is one JSON file here. Its rules are patterns with a template of what to say, one per line.
"""
