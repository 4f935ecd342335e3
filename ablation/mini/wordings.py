"""The problem types, and the sentences in which their problems are set.

A wording is one way to set a problem: an opener, one phrase for every step, a question. Its templates have slots:
`{a}` is the start value, `{k}` a step's operand; `{name}` and `{thing}` are drawn once a problem; `{u}` and `{v}` are the
letters of the value before and after a step.
"""

from dataclasses import dataclass, field

LETTERS = tuple("abcdefghijklm")
NAMES = ("Ann", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ivo", "June", "Kai", "Lea")
THINGS = ("coins", "cards", "shells", "beads", "stamps", "marbles", "keys", "books", "apples", "nuts")

Phrases = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Wording:
    """The templates of one setting; a problem takes one opener, one phrase a step and one question."""

    openers: tuple[str, ...]
    phrases: Phrases
    """Operation → its phrasings."""
    questions: tuple[str, ...]
    slots: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Slot → the words that may fill it."""


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A `problem_type` of the corpus: the operations that its problems are made of and the words that they are set in."""

    name: str
    mix: dict[str, int]
    """Operation → its weight when a step is drawn."""
    wordings: tuple[Wording, ...]


ALGEBRA = ProblemType(
    "Algebra",
    {"add": 6, "sub": 6, "double": 3, "triple": 2},
    (
        Wording(
            ("Let {v} = {a}.", "Suppose {v} = {a}.", "Given {v} = {a}."),
            {
                "add": ("{v} = {u} + {k}.",),
                "sub": ("{v} = {u} - {k}.",),
                "double": ("{v} = 2 {u}.",),
                "triple": ("{v} = 3 {u}.",),
            },
            ("Find {v}.", "What is {v}?", "Compute {v}.", "Solve for {v}."),
        ),
        Wording(
            ("Let x be {a}.", "Start from x = {a}.", "A term is {a}.", "The unknown x equals {a}."),
            {
                "add": ("Add {k}.", "Plus {k}."),
                "sub": ("Subtract {k}.", "Minus {k}."),
                "double": ("Multiply by 2.", "Twice that."),
                "triple": ("Multiply by 3.", "Thrice that."),
            },
            ("What is x?", "Find x.", "Compute the term.", "What results?"),
        ),
    ),
)

CALCULUS = ProblemType(
    "Calculus",
    {"add": 6, "sub": 6, "double": 3, "halve": 3},
    (
        Wording(
            ("A {thing} holds {a} liters.", "The {thing} starts with {a} liters.", "Water in a {thing}: {a} liters."),
            {
                "add": ("{k} flow in.", "Inflow {k}."),
                "sub": ("{k} flow out.", "Outflow {k}."),
                "double": ("The level doubles.",),
                "halve": ("Half drains.",),
            },
            ("Find the final level.", "How many liters remain?", "What is the level at the end?"),
            {"thing": ("tank", "pool", "barrel", "basin", "pond", "vat")},
        ),
        Wording(
            ("{name} is {a} at zero.", "Initially {name} is {a}.", "At time zero, {name} = {a}."),
            {
                "add": ("It grows by {k}.", "It rises {k}."),
                "sub": ("It decays by {k}.", "It falls {k}."),
                "double": ("It doubles.",),
                "halve": ("It halves.",),
            },
            ("Find the limit.", "What is the final value?", "Evaluate it at the end."),
            {"name": ("f", "g", "the speed", "the slope", "the curve", "the rate")},
        ),
    ),
)

COMBINATORICS = ProblemType(
    "Combinatorics",
    {"add": 6, "sub": 6, "double": 3, "triple": 2},
    (
        Wording(
            ("There are {a} {thing}.", "We count {a} {thing}.", "A map has {a} {thing}."),
            {
                "add": ("{k} more open.", "Allow {k} more."),
                "sub": ("{k} close.", "Exclude {k}."),
                "double": ("Each splits in two.",),
                "triple": ("Each splits in three.",),
            },
            ("How many {thing}?", "Count the {thing}.", "What is the number of {thing}?"),
            {"thing": ("paths", "routes", "ways", "words", "pairs", "codes", "seatings", "teams")},
        ),
        Wording(
            ("A set has {a} {thing}.", "Choose from {a} {thing}.", "{name} lists {a} {thing}."),
            {
                "add": ("Include {k}.", "{k} join."),
                "sub": ("Remove {k}.", "{k} leave."),
                "double": ("Color each in two ways.",),
                "triple": ("Color each in three ways.",),
            },
            ("How many {thing}?", "How many choices?", "Count the set."),
            {"thing": ("subsets", "orders", "colorings", "tilings", "hands", "draws"), "name": NAMES},
        ),
    ),
)

INEQUALITIES = ProblemType(
    "Inequalities",
    {"add": 6, "sub": 6, "raise": 2, "cap": 2, "double": 2},
    (
        Wording(
            ("Bound {name}: {a}.", "{name} is at most {a}.", "The bound on {name} is {a}."),
            {
                "add": ("Loosen by {k}.", "Relax by {k}."),
                "sub": ("Tighten by {k}.", "Sharpen by {k}."),
                "raise": ("At least {k}.",),
                "cap": ("At most {k}.",),
                "double": ("Scale by 2.",),
            },
            ("What is the bound?", "Find the best bound.", "State the final bound."),
            {"name": ("x", "y", "z", "the sum", "the mean", "the product")},
        ),
        Wording(
            ("The estimate is {a}.", "Estimate {name} by {a}.", "First estimate of {name}: {a}."),
            {
                "add": ("Gain {k}.", "Slack {k}."),
                "sub": ("Lose {k}.", "Shrink by {k}."),
                "raise": ("Not less than {k}.",),
                "cap": ("Not more than {k}.",),
                "double": ("Twice as large.",),
            },
            ("What is the estimate?", "Find the final estimate.", "Find the largest value."),
            {"name": ("x", "y", "z", "the sum", "the mean", "the product")},
        ),
    ),
)

LOGIC = ProblemType(
    "Logic and Puzzles",
    {"add": 6, "sub": 6, "double": 3, "swap": 2},
    (
        Wording(
            ("{name} has {a} {thing}.", "{name} owns {a} {thing}.", "In a box {name} keeps {a} {thing}."),
            {
                "add": ("Finds {k}.", "Wins {k}."),
                "sub": ("Gives away {k}.", "Drops {k}."),
                "double": ("A spell doubles them.",),
                "swap": ("A trick swaps digits.",),
            },
            ("How many {thing}?", "How many {thing} has {name}?", "How many in the end?"),
            {"name": NAMES, "thing": THINGS},
        ),
        Wording(
            ("{name} thinks of {a}.", "The secret of {name} is {a}.", "A riddle: {name} writes {a}."),
            {
                "add": ("Goes up {k}.", "Moves on {k}."),
                "sub": ("Goes down {k}.", "Moves back {k}."),
                "double": ("Says it twice.",),
                "swap": ("Reads it backwards.",),
            },
            ("What is the secret?", "Which number is it?", "Guess the number."),
            {"name": NAMES},
        ),
    ),
)

NUMBER_THEORY = ProblemType(
    "Number Theory",
    {"add": 6, "sub": 5, "double": 3, "halve": 2, "mod": 1, "swap": 2},
    (
        Wording(
            ("Take the integer {a}.", "Let n = {a}.", "Consider n = {a}."),
            {
                "add": ("Increase by {k}.", "Sum with {k}."),
                "sub": ("Decrease by {k}.", "Reduce by {k}."),
                "double": ("Double it.",),
                "halve": ("Halve it.",),
                "mod": ("Remainder modulo {k}.",),
                "swap": ("Swap the digits.",),
            },
            ("Find n.", "What integer results?", "Determine the integer.", "What is n?"),
        ),
        Wording(
            ("A sequence begins at {a}.", "The sequence starts at {a}.", "First term {a}."),
            {
                "add": ("Next term {k} larger.", "Step {k} forward."),
                "sub": ("Next term {k} smaller.", "Step {k} backward."),
                "double": ("Next term twice.",),
                "halve": ("Next term half.",),
                "mod": ("Next term modulo {k}.",),
                "swap": ("Next term reversed.",),
            },
            ("Find the last term.", "What is the last term?", "Determine the last integer."),
        ),
    ),
)

GEOMETRY = ProblemType(
    "Geometry",
    {"add": 6, "sub": 6, "double": 3, "halve": 2, "triple": 1},
    (
        Wording(
            ("A {thing} has length {a}.", "The length of a {thing} is {a}.", "Draw a {thing} of length {a}."),
            {
                "add": ("Extend by {k}.", "Longer by {k}."),
                "sub": ("Cut off {k}.", "Shorter by {k}."),
                "double": ("Stretch to double.",),
                "halve": ("Bisect it.",),
                "triple": ("Stretch to triple.",),
            },
            ("Find the length.", "What is its length?", "How long is the {thing}?"),
            {"thing": ("segment", "side", "rod", "chord", "diagonal", "edge", "median", "radius")},
        ),
        Wording(
            ("A {thing} has area {a}.", "The area of a {thing} is {a}.", "Draw a {thing} of area {a}."),
            {
                "add": ("Glue on {k}.", "Attach {k}."),
                "sub": ("Trim {k}.", "Clip {k}."),
                "double": ("Mirror and join.",),
                "halve": ("Fold in half.",),
                "triple": ("Use three copies.",),
            },
            ("Find the area.", "What is its area?", "How large is the {thing}?"),
            {"thing": ("square", "triangle", "circle", "kite", "rhombus", "sector", "polygon", "strip")},
        ),
    ),
)

PROBLEM_TYPES = (ALGEBRA, CALCULUS, COMBINATORICS, INEQUALITIES, LOGIC, NUMBER_THEORY, GEOMETRY)
