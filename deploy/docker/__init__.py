"""Images, the compose file's jobs, and the checks of both."""
