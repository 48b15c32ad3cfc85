"""Readers of foreign checkpoint files that execute nothing of what they read."""
