"""What a job log is: its values, its rules, and the ports to whatever stores and carries it."""
