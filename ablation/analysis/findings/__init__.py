"""Numbers as statements: sentences, claims with a verdict, and comparisons with published numbers and other studies."""
