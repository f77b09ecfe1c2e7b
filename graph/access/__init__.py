"""Access: who a request is, by token or JWT, and what it may see.

Knows no route and no type of the schema. Start with `gate`.
"""
