"""Import of records of other programs as studies, and export of studies in the form of other programs."""
