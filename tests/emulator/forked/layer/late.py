import late_too

VALUE = f"late and {late_too.VALUE}"
