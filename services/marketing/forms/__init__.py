"""Forms: the doors on web pages through which leads come in."""
