"""First on the path of a process that is to run without uvloop."""

raise ImportError("hidden by the test")
