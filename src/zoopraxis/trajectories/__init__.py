"""Dense and improved trajectories: tracks of points and what moves around them."""
