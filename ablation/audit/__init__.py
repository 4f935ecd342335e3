"""What the cells of a sweep would train on, looked at before anything is trained."""
