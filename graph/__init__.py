"""What clients see: the GraphQL API, the pages, and the command line."""
