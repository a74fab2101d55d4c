"""What the federation's officers do to its signed bundle: request, propose, read, sign, publish; files only."""
