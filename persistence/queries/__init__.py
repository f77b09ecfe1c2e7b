"""Pages and counts as SQL: windows, cursors and filters, compiled once for each form that they take.

Knows no port but the values that it takes and gives. Start with `paging`, then `log_pages`.
"""
