"""Checkpoints: which network a file holds, conversion, downloads, file formats."""
