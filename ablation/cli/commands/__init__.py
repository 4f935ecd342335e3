"""What is done with a study beside launching it: a module for each group of commands, each with its parsers and functions."""
