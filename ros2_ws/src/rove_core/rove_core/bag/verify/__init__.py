"""Is a bag what it says it is? See ``run``: one walk through the file, one module a check."""
