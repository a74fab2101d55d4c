"""One verdict a row (duty U21): a list of enterprises is asked in messages, kept, concluded, and signed as a whole.

Planning, merging and deriving are pure and know no network; `folder` is the only place that writes.
"""
