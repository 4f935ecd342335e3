"""Records of others as studies of ours, and ours in the form that others read."""
