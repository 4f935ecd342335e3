"""From a design to the cells of a sweep."""
