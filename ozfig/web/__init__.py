"""The outside world, met once: addresses, polite fetching, pages as Markdown, pages that need a browser."""
