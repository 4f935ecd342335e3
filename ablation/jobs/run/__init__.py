"""One job: a cell and where it runs."""
