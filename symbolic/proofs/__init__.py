"""What no number can tell: which averages vanish, which symmetries fix a target, what level sets say."""
