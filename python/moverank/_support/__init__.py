"""What every room needs and none is about: checks of arguments, stored types, threads, optional packages, wording."""
