"""Plays: what people see, told as who says what and who hears what."""
