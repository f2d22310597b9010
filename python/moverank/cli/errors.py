"""What the user can put right."""


class UserError(Exception):
    """Bad input from the command line; its message is all that is shown."""
