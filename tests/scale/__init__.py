"""Ten thousand members: what must not grow with them, that every command works with them, and that anyone is found."""
