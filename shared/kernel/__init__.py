"""The vocabulary of the domain, free of I/O: ids, money, time, events, errors and causes."""
