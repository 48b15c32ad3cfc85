"""What a network takes in: tracks, sampling, crops, augmentation, and one file a kind of input."""
