"""From numbers to what people read: one page (`page.write`) and one table in the terminal (`terminal.render`).

Nothing here computes an estimate, and nothing here trusts a name or a model's output.
"""
