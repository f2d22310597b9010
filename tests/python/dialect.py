"""Phrases that this project tends to write, under the plain English for them; documents and sources avoid them."""

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
    "continued": r"\bgone on with\b",
    "whoever may": r"\bnobody's business\b",
}


def found_in(text):
    """What `text` says otherwise than in plain English, by what to say."""
    text = re.sub(r"\s+", " ", text)
    return {better: match[0] for better, phrase in DIALECT.items() if (match := re.search(phrase, text))}
