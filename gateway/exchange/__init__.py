"""The way of a question, step by step: compose, admit, release, accept. Pure: bytes, keys and a clock value in."""
