"""The federation's signed bundle on The Update Framework (TUF 1.0, protocol.md section 9).

It knows who signs which file, and what a whole snapshot looks like as bytes. It touches no network, no disk and no
clock, and leaves the meaning of the rows to those who read them.
"""
