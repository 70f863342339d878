"""A platform that never was: objects as its controllers would have written them."""
