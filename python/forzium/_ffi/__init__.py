"""Where the guide finds the zero-copy operations."""
