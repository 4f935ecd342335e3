"""Which grader this is. It stands in the address of the grade stage, so that no other verdicts pass for its own."""

# Raised when the same completion could get another verdict: our rules (first number), or the library that does the algebra.
RULES = 2
MATH_VERIFY = "0.9.0"
GRADER = f"{RULES}+math-verify-{MATH_VERIFY}"
