"""What all rooms share: checks of arguments, stored types, threads, optional packages, wording."""
