"""Activities: calls, meetings, tasks and other dealings with customers, planned and done."""
