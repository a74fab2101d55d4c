"""The exchange itself: what may be asked, what is answered, what may be concluded. Knows no database and no file."""
