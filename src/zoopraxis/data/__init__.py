"""Data sets: lists of samples, clips of them, and the videos the project makes itself."""
