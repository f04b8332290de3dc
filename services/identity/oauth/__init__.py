"""OAuth: the token endpoint, the published keys and the description of both."""
