"""Phrases that this project used to write, by the plain English for them; documents and sources avoid them."""

import re

UNITS = (
    r"bits?|bytes?|numbers?|vectors?|(?:milli|micro|nano)?seconds?|ms|µs|k?B|rows?|lines?|tokens?|words?|threads?|"
    r"documents?|one|entries|quantum"
)
WHOLES = (
    r"token|word|document|query|thread|segment|batch|target|size|pair|call|worker|side|column|row|tile|search|million"
)
MORE = r"(?:more|less|worse|better|long|larg|small|near|fast|slow|lat|earli|great|high|low|cheap)(?:er|r)?\b"
DIALECT = {
    "per": rf"\b(?:{UNITS}|(?:an?|one) (?:mass|count|total|factor|scale|weight)) an? (?:{WHOLES}|bag)\b",
    "after, back to back": r"\bbehind the (?:first|last|largest|other)\b|\bone behind\b",
    "is not": rf"\b(?:it|that|which|what) is no (?!{MORE})\w+|\b(?:is|are|was) none of\b",
    "can be bought, installed, used": r"\bto be had\b",
    "documents that are": r"\bsuch as are\b",
    "is not a": r"(?<!here )\b(?:is|are) no (?:string|number|array|text|index|tokenizer|part of|encoder|error)s?\b",
    "at most, at least": r"\bat the (?:most|least)\b",
    "users with": r"\bwho brings\b|\bbring their weights\b",
    "continue": r"\bgo(?:es|ing|ne)? on with\b",
    "is ignored": r"\bnobody's business\b",
    "in increasing order": r"\brising (?:orders?|ids?|positions?)\b",
    "the user, the caller": r"\bwhoever (?:is|has|may|asks|waits|brings|builds|searches|reads|adds|opens|makes)\b",
    "at the first access": r"\b(?:when|until) (?:it is |they are )?(?:first )?asked for\b",
    "requested": r"\bwhat (?:is|was) asked\b|\b(?:where|unless|was|were|is|are) asked for\b(?! (?:more|this|twice))",
    "returns, frees": r"\bgives? back (?!to)\w+",
    "skipped": r"\bpassed over\b",
    "if needed": r"\bwhere there is (?:a use|use) for\b",
    "removed": r"\b(?:documents|tokens|files) that are gone\b",
    "this many": r"\b(?:after|positions of|at least|return|load|look at|stop after) so many\b",
    "the format is recognised by": r"\b(?:is|are), (?:is|are) (?:seen|known|told)\b",
    "stored": r"\bwritten down\b",
    "the name is": r"\bhow (?:messages|errors) call\b|\bwhat (?:messages|errors) call\b",
    "no longer": r"\bnothing is \w+ any more\b",
}


def found_in(text):
    """Phrases in `text` that are not plain English, by what to write instead."""
    text = re.sub(r"\s+", " ", text)
    return {better: match[0] for better, phrase in DIALECT.items() if (match := re.search(phrase, text))}
