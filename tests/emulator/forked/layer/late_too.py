VALUE = "late, too"
