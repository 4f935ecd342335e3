"""The report of a study: one page (`page.write_report`) and one table in the terminal (`terminal.render_summary`).

No module here computes an estimate, and none trusts a name or a model's output.
"""
