"""The permanent archive: every fact of every service, in the order of its commit here, for ever."""
