"""From a video to a prediction."""
