"""Programs that measure the package; each prints a Markdown table for docs/benchmarks.md."""
