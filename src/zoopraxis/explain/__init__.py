"""What a network looks at, and what it makes of time."""
