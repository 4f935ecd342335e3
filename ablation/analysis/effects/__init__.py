"""Effects of the factors with their errors: contrasts, means, interactions, regressions and components of variance."""
