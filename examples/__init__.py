"""Programs that use Jobtail as its users do."""
