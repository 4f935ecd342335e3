"""Which grader this is. It stands in the address of the grade stage, so that no other verdicts pass for its own."""

STORE_FORMAT = 1
# Raised when the same completion could get another verdict: our rules (first number), or the library that does the algebra.
RULES = 2
# Raised when a stage's code changes what it writes; every older result then has another address.
VERSIONS = {"pool": 5, "sift": 2, "near": 2, "select": 2, "train": 1, "sample": 2, "grade": RULES}
MATH_VERIFY = "0.9.0"
GRADER = f"{RULES}+math-verify-{MATH_VERIFY}"
