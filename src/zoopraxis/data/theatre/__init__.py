"""The theatre: synthetic actions, filmed to real video files, with ground truth."""
