"""Subscriptions on the wire: websockets, the frames that viewers of a job share, and when a token's time is over.

Knows no store; rows come from `domain.live`. Start with `shared_frames`.
"""
