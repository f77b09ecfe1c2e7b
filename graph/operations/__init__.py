"""Operations as texts: prepared once, their cost bounded, and watched while they run.

Knows no type of the schema. Start with `prepared`.
"""
