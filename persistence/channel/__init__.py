"""Announcements between processes: sent after the commit, merged, and heard by one guarded subscription.

The only user of broadcaster; knows no table. Start with `channel`; each `..._backend` is one way to carry a message.
"""
